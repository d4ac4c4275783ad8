cnn_runtime::cnn! {
    block head(classes) = flatten -> fc(10);
    Net <1x28x28> -> conv(6, 5x5) -> head(10)
}

fn main() {}
