//! ONNX models (<https://onnx.ai/onnx/repo-docs/IR.html>): their messages, and how a model becomes a network.
//!
//! [`Model::import`] gives the network as text in the language of `cnn!`, and its weights by the names that the network
//! gives them. The compiler reads that text as if a user had written it; there is no second way into it.

mod attributes;
mod budget;
mod computed;
mod constant;
mod error;
mod file;
mod import;
mod net;
mod ops;
pub mod own;
mod print;
pub mod proto;
mod structure;
#[cfg(test)]
mod tests;
mod weight;

pub use error::Error;
pub use file::Model;
pub use import::{Imported, Tensor};
