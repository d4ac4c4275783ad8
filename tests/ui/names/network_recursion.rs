cnn_runtime::cnn! {
    pub Net <1x28x28> -> Net -> fc(10)
}

fn main() {}
