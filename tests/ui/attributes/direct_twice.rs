cnn_runtime::cnn! {
    pub Net <3x32x32> -> conv(64, 3x3, direct, p1, direct) -> fc(10)
}

fn main() {}
