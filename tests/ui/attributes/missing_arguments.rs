cnn_runtime::cnn! {
    pub Net <1x28x28> -> conv -> fc(10)
}

fn main() {}
