cnn_runtime::cnn! {
    pub Net <1x4x4> weights = "../../../tmp/ui.safetensors" -> conv(2, 3x3) -> head = fc(3) -> add(id, head)
}

fn main() {}
