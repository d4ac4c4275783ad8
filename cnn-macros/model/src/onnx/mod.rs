//! ONNX models (<https://onnx.ai/onnx/repo-docs/IR.html>).

pub mod proto;
