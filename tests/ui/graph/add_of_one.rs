cnn_runtime::cnn! {
    pub Net <3x16x16> -> add(conv(3, 3x3, p1)) -> fc(10)
}

fn main() {}
