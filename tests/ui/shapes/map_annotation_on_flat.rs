cnn_runtime::cnn! {
    pub Net <1x28x28> -> fc(10) <10x1x1>
}

fn main() {}
