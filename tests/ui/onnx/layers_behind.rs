cnn_runtime::cnn! {
    pub Net = onnx "../../../tmp/traced.onnx" -> relu -> fc(3);
}

fn main() {}
