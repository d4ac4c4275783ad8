cnn_runtime::cnn! {
    pub Net <1x28x28> -> 2 * relu -> fc(10)
}

fn main() {}
