cnn_runtime::cnn! {
    pub Net <4x8x8> -> prelu(0.25) -> fc(10)
}

fn main() {}
