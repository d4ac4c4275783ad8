cnn_runtime::cnn! {
    pub Net <3x32x32> -> dwconv(3x3, p1, direct) -> fc(10)
}

fn main() {}
