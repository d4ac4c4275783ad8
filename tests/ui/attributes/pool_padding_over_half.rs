cnn_runtime::cnn! {
    pub Net <1x28x28> -> pool(2, s2, p2) -> fc(10)
}

fn main() {}
