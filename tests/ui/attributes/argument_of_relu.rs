cnn_runtime::cnn! {
    pub Net <1x28x28> -> relu(6) -> fc(10)
}

fn main() {}
