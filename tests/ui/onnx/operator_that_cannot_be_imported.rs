cnn_runtime::cnn! {
    pub Net = onnx "../../../tmp/einsum.onnx";
}

fn main() {
    let _ = <Net as cnn_runtime::Network>::new(0);
}
