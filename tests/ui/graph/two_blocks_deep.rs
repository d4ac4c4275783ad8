cnn_runtime::cnn! {
    block inner(k) = conv(4, k);
    block outer(k) = inner(k) -> relu -> inner(k);
    pub Net <3x8x8> -> outer(3) -> outer(5) -> fc(10)
}

fn main() {}
