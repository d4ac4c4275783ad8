cnn_runtime::cnn! {
    pub Net <1x16x16> -> conv(6, 5x5) -> pool(3, s3) -> conv(16, 5x5) -> fc(10)
}

fn main() {}
