cnn_runtime::cnn! {
    pub Net <1x28x4> -> conv(6, 3x5) -> fc(10)
}

fn main() {}
