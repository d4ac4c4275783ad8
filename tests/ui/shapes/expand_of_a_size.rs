cnn_runtime::cnn! {
    pub Net <4x1x8> -> expand(5x8x8) -> fc(10)
}

fn main() {}
