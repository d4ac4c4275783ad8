//! Model files as both sides of `cnn!` see them: the compiler, which checks a network against a file while it expands,
//! and the runtime, which loads it.

#[cfg(feature = "onnx")]
pub mod onnx;
