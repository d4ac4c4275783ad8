cnn_runtime::cnn! {
    pub Net <4x8x8> -> hardsigmoid(0.2, 0.5, 1) -> fc(10)
}

fn main() {}
