cnn_runtime::cnn! {
    pub Net <4x28x28> -> conv(6, 5x5, g4) -> fc(10)
}

fn main() {}
