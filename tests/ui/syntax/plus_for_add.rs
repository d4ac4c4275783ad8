cnn_runtime::cnn! {
    pub Net <1x28x28> -> relu + tanh -> fc(10)
}

fn main() {}
