cnn_runtime::cnn! {
    pub Net <3x16x16> -> concat(conv(8, 3x3), pool(2)) -> fc(10)
}

fn main() {}
