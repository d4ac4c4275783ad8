cnn_runtime::cnn! {
    pub struct Net <1x28x28> -> fc(10)
}

fn main() {}
