cnn_runtime::cnn! {
    block again(c) = conv(c, 3x3) -> again(c);
    pub Net <1x28x28> -> again(6) -> fc(10)
}

fn main() {}
