cnn_runtime::cnn! {
    pub Net <4x8x8> -> selu(beta = 1) -> fc(10)
}

fn main() {}
