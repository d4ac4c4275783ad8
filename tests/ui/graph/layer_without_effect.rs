cnn_runtime::cnn! {
    pub Net <3x8x8> -> x = relu -> conv(3, 3x3, p1) -> add(x, x -> tanh) -> fc(10)
}

fn main() {}
