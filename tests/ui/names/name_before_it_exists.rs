cnn_runtime::cnn! {
    pub Net <1x28x28> -> add(id, later) -> later = relu -> fc(10)
}

fn main() {}
