cnn_runtime::cnn! {
    pub Net <1x28x28> -> fc(100) -> pool(2) -> fc(10)
}

fn main() {}
