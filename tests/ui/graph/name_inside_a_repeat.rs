cnn_runtime::cnn! {
    pub Net <3x8x8> -> (x = relu -> add(id, x)) * 3 -> add(id, x) -> fc(10)
}

fn main() {}
