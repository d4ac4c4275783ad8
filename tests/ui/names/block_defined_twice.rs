cnn_runtime::cnn! {
    block once(c) = conv(c, 3x3);
    block once(c) = conv(c, 5x5);
    pub Net <1x28x28> -> once(6) -> fc(10)
}

fn main() {}
