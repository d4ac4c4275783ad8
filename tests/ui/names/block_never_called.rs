cnn_runtime::cnn! {
    block twice(c) = conv(c, 3x3, p1) -> relu -> conv(c, 3x3, p1);
    Net <1x28x28> -> conv(6, 5x5) -> fc(10)
}

fn main() {}
