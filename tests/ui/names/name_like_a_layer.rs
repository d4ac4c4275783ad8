cnn_runtime::cnn! {
    pub Net <1x28x28> -> relu = conv(6, 3x3, p1) -> add(relu, id) -> fc(10)
}

fn main() {}
