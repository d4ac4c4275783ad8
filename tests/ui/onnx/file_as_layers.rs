cnn_runtime::cnn! {
    pub Net = "../../../tmp/einsum.onnx";
}

fn main() {}
