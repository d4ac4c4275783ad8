cnn_runtime::cnn! {
    pub Net -> conv(6, 5x5) -> fc(10)
}

fn main() {}
