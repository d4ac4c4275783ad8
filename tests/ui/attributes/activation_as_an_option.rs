cnn_runtime::cnn! {
    pub Net <1x28x28> -> fc(10, relu)
}

fn main() {}
