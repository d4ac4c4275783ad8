cnn_runtime::cnn! {
    pub Net <8x1x1> -> conv_transpose(6, 4x4, p2) -> fc(10)
}

fn main() {}
