cnn_runtime::cnn! {
    Head <8x4x4> -> fc(10);
    pub Net <3x16x16> -> conv(8, 3x3, s2) -> Head
}

fn main() {}
