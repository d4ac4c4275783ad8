cnn_runtime::cnn! {
    pub Net <3x16x16> -> concat(fc(5), id) -> fc(10)
}

fn main() {}
