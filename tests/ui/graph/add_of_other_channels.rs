cnn_runtime::cnn! {
    pub Net <3x16x16> -> add(conv(8, 3x3, p1), conv(9, 3x3, p1)) -> fc(10)
}

fn main() {}
