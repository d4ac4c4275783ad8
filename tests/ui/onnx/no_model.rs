cnn_runtime::cnn! {
    pub Net = onnx "../../../tmp/ui.txt";
}

fn main() {}
