cnn_runtime::cnn! {
    pub Net <1x28x28> -> conv(6, k5) -> fc(10)
}

fn main() {}
