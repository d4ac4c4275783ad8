cnn_runtime::cnn! {
    pub A <1x28x28> -> fc(10) pub B <1x28x28> -> fc(10)
}

fn main() {}
