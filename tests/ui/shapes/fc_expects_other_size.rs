cnn_runtime::cnn! {
    pub Net <1x28x28> -> conv(16, 5x5) -> pool(2) -> fc(2300 -> 10)
}

fn main() {}
