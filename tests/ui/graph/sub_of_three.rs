cnn_runtime::cnn! {
    pub Net <4x8x8> -> sub(id, relu, tanh) -> fc(10)
}

fn main() {}
