//! The kernels, a folder or file per operation: forward, backward, and a plain reference beside each fast path.

pub mod act;
pub mod add;
pub mod arith;
pub mod avg_pool;
mod axis;
pub mod batch_norm;
pub(crate) mod blocks;
pub(crate) mod broadcast;
pub mod concat;
pub mod conv;
pub mod conv_transpose;
pub mod dropout;
pub mod expand;
pub mod fc;
pub(crate) mod gemm;
pub mod lrn;
mod math;
pub mod max_pool;
pub mod order;
pub mod pad;
mod parallel;
pub mod permute;
pub(crate) mod pieces;
pub mod post;
pub mod resize;
#[cfg(test)]
mod scalar;
pub(crate) mod scratch;
mod sixteen;
pub mod softmax;
pub(crate) mod sums;
pub mod trained;
pub mod upsample;
pub(crate) mod wide;
