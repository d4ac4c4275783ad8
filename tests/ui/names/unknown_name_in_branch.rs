cnn_runtime::cnn! {
    pub Net <1x28x28> -> stem = conv(6, 3x3, p1) -> add(id, stm) -> fc(10)
}

fn main() {}
