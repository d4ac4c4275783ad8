cnn_runtime::cnn! {
    pub Net <1x28x28> -> pool(global, ceil) -> fc(10)
}

fn main() {}
