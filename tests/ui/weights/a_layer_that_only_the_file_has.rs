cnn_runtime::cnn! {
    pub Net <2x2x2> weights = "../../../tmp/ui.safetensors" -> relu -> fc(3)
}

fn main() {}
