cnn_runtime::cnn! {
    pub Net <1x28x28> -> fc(99999999999999999999999)
}

fn main() {}
