cnn_runtime::cnn! {
    pub Net <3x16x16> -> add(conv(8, 3x3, s2, p1), shortcut(9, s2)) -> fc(10)
}

fn main() {}
