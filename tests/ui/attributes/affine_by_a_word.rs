cnn_runtime::cnn! {
    pub Net <4x8x8> -> affine(mul = same) -> fc(10)
}

fn main() {}
