cnn_runtime::cnn! {
    pub Net <1x28x28> -> let x = relu -> add(id, x) -> fc(10)
}

fn main() {}
