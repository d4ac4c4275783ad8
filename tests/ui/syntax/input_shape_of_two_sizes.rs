cnn_runtime::cnn! {
    pub Net <28x28> -> conv(6, 5x5) -> fc(10)
}

fn main() {}
