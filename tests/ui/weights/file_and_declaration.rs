cnn_runtime::cnn! {
    pub Net <1x4x4> weights = "../../../tmp/none.safetensors" -> covn(2, 3x3) -> relu -> fc(3)
}

fn main() {}
