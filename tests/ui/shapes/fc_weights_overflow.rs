cnn_runtime::cnn! {
    pub Net <64x1000x1000> -> fc(1000)
}

fn main() {}
