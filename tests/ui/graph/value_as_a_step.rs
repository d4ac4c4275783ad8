cnn_runtime::cnn! {
    pub Net <3x8x8> -> x = relu -> tanh -> x -> fc(10)
}

fn main() {}
