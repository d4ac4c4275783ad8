cnn_runtime::cnn! {
    pub Net <3x8x8> -> id
}

fn main() {}
