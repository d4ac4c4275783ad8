cnn_runtime::cnn! {
    block deep(c) = conv(c, 3x3) -> pool(9);
    pub Net <3x8x8> -> deep(4) -> fc(10)
}

fn main() {}
