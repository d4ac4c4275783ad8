cnn_runtime::cnn! {
    pub Net <4x8x8> -> reshape(5x8x8) -> fc(10)
}

fn main() {}
