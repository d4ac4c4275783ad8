cnn_runtime::cnn! {
    pub Net <4x8x8> -> scale(3x1x8) -> fc(10)
}

fn main() {}
