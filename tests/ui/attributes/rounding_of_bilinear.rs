cnn_runtime::cnn! {
    pub Net <1x8x8> -> resize(5x5, bilinear, floor) -> fc(10)
}

fn main() {}
