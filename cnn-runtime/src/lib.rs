//! Kernels, buffers and training for convolutional networks declared with [`cnn!`].

extern crate self as cnn_runtime;

pub mod desc;
pub mod info;
pub mod kernel;
#[doc(hidden)]
pub mod testing;

pub use cnn_macros::cnn;

/// What the code that [`cnn!`] emits may touch. Not for use by hand: it changes with the macro.
#[doc(hidden)]
pub mod __v1 {
    pub use crate::desc::*;
    pub use crate::info::*;
    pub use crate::kernel::*;
}
