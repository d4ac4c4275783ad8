cnn_runtime::cnn! {
    pub Net <32x32x3> -> conv(6, 5x5) -> fc(10)
}

fn main() {}
