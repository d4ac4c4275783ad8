cnn_runtime::cnn! {
    pub Net <1x28x28> -> flatten -> lrn -> fc(10)
}

fn main() {}
