cnn_runtime::cnn! {
    pub Net <1x28x28> -> a = relu -> a = tanh -> add(a, id) -> fc(10)
}

fn main() {}
