cnn_runtime::cnn! {
    block relu(c) = conv(c, 3x3);
    pub Net <1x28x28> -> fc(10)
}

fn main() {}
