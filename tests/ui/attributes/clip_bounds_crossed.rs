cnn_runtime::cnn! {
    pub Net <4x8x8> -> clip(6, 0) -> fc(10)
}

fn main() {}
