cnn_runtime::cnn! {
    pub Net <3x32x32> -> conv(64, 3x3, p1, diect) -> fc(10)
}

fn main() {}
