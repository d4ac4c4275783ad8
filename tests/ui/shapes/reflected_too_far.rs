cnn_runtime::cnn! {
    pub Net <1x4x9> -> pad(4x2, reflect) -> fc(10)
}

fn main() {}
