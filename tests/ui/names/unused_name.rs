cnn_runtime::cnn! {
    pub Net <1x28x28> -> half = pool(2) -> fc(10)
}

fn main() {}
