cnn_runtime::cnn! {
    pub Net <4x8x8> -> clip -> fc(10)
}

fn main() {}
