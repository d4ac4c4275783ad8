cnn_runtime::cnn! {
    pub Net = onnx "../../../tmp/none.onnx";
}

fn main() {}
