cnn_runtime::cnn! {
    block twice(c, k) = conv(c, 3x3) -> conv(k, 3x3);
    pub Net <1x28x28> -> twice(6) -> fc(10)
}

fn main() {}
