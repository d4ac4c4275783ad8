cnn_runtime::cnn! {
    pub train <1x28x28> -> fc(10)
}

fn main() {}
