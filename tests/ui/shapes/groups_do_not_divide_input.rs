cnn_runtime::cnn! {
    pub Net <3x28x28> -> conv(6, 5x5, g2) -> fc(10)
}

fn main() {}
