//! The kernels, a folder or file per operation: forward, backward, and a plain reference beside each fast path.

pub mod conv;
pub mod fc;
pub mod scalar;
