//! Model files as both sides of `cnn!` see them: the compiler, which checks a network against a file while it expands,
//! and the runtime, which loads it.

pub mod dtype;
pub mod naming;
#[cfg(feature = "onnx")]
pub mod onnx;
pub mod pickle;
pub mod resize;
#[cfg(feature = "safetensors")]
pub mod safetensors;
pub mod stranger;
pub mod text;
pub mod window;

pub use dtype::Dtype;
pub use naming::{Declaration, Naming};
