cnn_runtime::cnn! {
    pub Net <1x28x28> -> pool(3, s2, p1, excludepad) -> fc(10)
}

fn main() {}
