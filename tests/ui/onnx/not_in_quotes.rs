cnn_runtime::cnn! {
    pub Net = onnx model.onnx;
}

fn main() {}
