cnn_runtime::cnn! {
    block twice(c) = ;
    pub Net <1x28x28> -> twice(6) -> fc(10)
}

fn main() {}
