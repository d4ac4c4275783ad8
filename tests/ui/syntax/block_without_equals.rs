cnn_runtime::cnn! {
    block twice(c) conv(c, 3x3);
    pub Net <1x28x28> -> twice(6) -> fc(10)
}

fn main() {}
