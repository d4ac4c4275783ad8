cnn_runtime::cnn! {
    pub Net <4x8x8> -> shift(4) -> fc(10)
}

fn main() {}
