cnn_runtime::cnn! {
    pub Net <4x8x8> -> gelu(tan) -> fc(10)
}

fn main() {}
