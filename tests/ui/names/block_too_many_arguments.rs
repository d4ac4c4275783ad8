cnn_runtime::cnn! {
    block once(c) = conv(c, 3x3);
    pub Net <1x28x28> -> once(6, 7) -> fc(10)
}

fn main() {}
