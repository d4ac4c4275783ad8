cnn_runtime::cnn! {
    pub Net <4x8x8> -> mul(id, avgpool(global) -> conv(3, 1x1) -> sigmoid) -> fc(10)
}

fn main() {}
