cnn_runtime::cnn! {
    pub Net <1x8x8> -> conv(6, 5x5, d2) -> fc(10)
}

fn main() {}
