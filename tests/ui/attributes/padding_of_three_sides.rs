cnn_runtime::cnn! {
    pub Net <1x28x28> -> conv(6, 5x5, p1x2x3) -> fc(10)
}

fn main() {}
