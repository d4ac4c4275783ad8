cnn_runtime::cnn! {
    pub Net <0x28x28> -> fc(10)
}

fn main() {}
