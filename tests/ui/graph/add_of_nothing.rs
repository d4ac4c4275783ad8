cnn_runtime::cnn! {
    pub Net <3x16x16> -> add() -> fc(10)
}

fn main() {}
