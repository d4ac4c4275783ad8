cnn_runtime::cnn! {
    pub Net <3x32x32> direct weights = "net.safetensors" -> conv(64, 3x3, p1) -> fc(10)
}

fn main() {}
