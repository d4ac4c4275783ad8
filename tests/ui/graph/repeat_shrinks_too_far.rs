cnn_runtime::cnn! {
    pub Net <3x16x16> -> conv(3, 3x3) * 9 -> fc(10)
}

fn main() {}
