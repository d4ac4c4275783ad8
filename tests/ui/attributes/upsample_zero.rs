cnn_runtime::cnn! {
    pub Net <1x28x28> -> upsample(0) -> fc(10)
}

fn main() {}
