cnn_runtime::cnn! {
    block once(c) = conv(d_out, 3x3);
    pub Net <1x28x28> -> once(6) -> fc(10)
}

fn main() {}
