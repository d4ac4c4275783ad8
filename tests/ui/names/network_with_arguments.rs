cnn_runtime::cnn! {
    pub Head <8x4x4> -> fc(10);
    pub Net <8x4x4> -> Head(10)
}

fn main() {}
