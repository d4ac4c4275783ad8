cnn_runtime::cnn! {
    pub Net <1x28x28> -> conv(6, 5x5);
    relu -> fc(10)
}

fn main() {}
