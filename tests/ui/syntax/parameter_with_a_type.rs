cnn_runtime::cnn! {
    block head(classes: usize) = fc(classes);
    pub Net <1x28x28> -> head(10)
}

fn main() {}
