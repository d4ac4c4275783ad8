cnn_runtime::cnn! {
    pub Net <3x16x16> -> conv(3, 3x3, p1) * 100000 -> fc(10)
}

fn main() {}
