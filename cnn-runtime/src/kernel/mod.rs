//! The kernels, a folder or file per operation: forward, backward, and a plain reference beside each fast path.

pub mod act;
pub mod add;
mod axis;
pub mod concat;
pub mod dropout;
mod lanes;
mod math;
mod pieces;
mod wide;
