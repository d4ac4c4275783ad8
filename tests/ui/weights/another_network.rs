cnn_runtime::cnn! {
    pub Net <1x4x4> weights = "../../../tmp/ui.safetensors" -> first = conv(2, 3x3) -> add(id, first)
}

fn main() {}
