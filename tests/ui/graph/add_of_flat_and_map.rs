cnn_runtime::cnn! {
    pub Net <3x16x16> -> add(flatten, id) -> fc(10)
}

fn main() {}
