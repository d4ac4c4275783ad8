//! Kernels, buffers and training for convolutional networks declared with [`cnn!`].
//!
//! New to such networks? The [`guide`] goes from a sum of nine products to ResNet, with code that runs and pictures.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `idx`, `safetensors` | `data::idx` and CIFAR's files; `weights` and checkpoints. These two are the default |
//! | `images`, `csv` | JPEG, PNG and WebP, alone or in a folder per class; pictures that a table lists |
//! | `npz`, `onnx` | weights as NumPy's archives; models as ONNX files, both ways |
//! | `progress`, `log`, `tensorboard` | a training run as a bar, as CSV or JSON Lines, in TensorBoard: [`watch`] |
//! | `viz`, `png` | a run, a network and what it learned as SVG and HTML: `viz`; drawings as PNG |
//!
//! # Threads
//!
//! A pass takes as many threads as there are processors, or as `RAYON_NUM_THREADS` says; within a rayon pool, that
//! pool's. Results are the same, bit for bit, on any number of them.
//!
//! Each thread that works on passes keeps memory for it beside the workspaces: 2 to 6 MiB, or more where a layer needs more.
//! It makes it at its first pass; [`warm_threads`] has it made before.
//!
//! # Many threads
//!
//! Threads share a network, in an `Arc` say, and have a workspace each. In a server that has many requests under way,
//! most is done in a second if each pass stays on the thread that asked for it: [`alone`]. Without that, a pass is over
//! soonest when it comes by itself; passes that come together take each other's threads.

#![warn(missing_debug_implementations)]

// Emitted code names this crate from outside; so that it also works inside, in unit tests.
#[allow(unused_extern_crates)]
extern crate self as cnn_runtime;

#[cfg(any(feature = "log", feature = "safetensors", feature = "viz"))]
mod atomic;
pub mod buffer;
pub mod data;
pub mod desc;
pub mod dispatch;
pub mod ensemble;
pub mod error;
mod frame;
// A book, which only its readers and the tests of its code compile.
#[cfg(any(doc, doctest))]
pub mod guide;
pub mod info;
pub mod init;
pub mod inspect;
mod kept;
pub(crate) mod kernel;
pub mod layout;
pub mod loss;
pub mod metrics;
#[doc(hidden)]
pub mod names;
pub mod network;
#[cfg(feature = "onnx")]
mod onnx;
pub mod optim;
pub mod params;
mod pool;
pub mod prelude;
mod random;
mod simd;
#[doc(hidden)]
pub mod testing;
#[cfg(test)]
mod toy;
pub mod train;
#[cfg(feature = "viz")]
pub mod viz;
pub mod watch;
#[cfg(feature = "safetensors")]
pub mod weights;
pub mod workspace;

pub use buffer::Buffer;
pub use cnn_macros::cnn;
pub use ensemble::Ensemble;
pub use error::Error;
/// The crate whose arrays batches, results and tensors are, in the version that this one takes.
pub use ndarray;
pub use network::Network;
pub use params::Params;
pub use pool::{alone, warm_threads};
/// The crate of random numbers that an [`Augment`](data::Augment) of your own draws, in the version that this one takes.
pub use rand;

/// What the code that [`cnn!`] emits may touch. Not for use by hand: it changes with the macro.
#[doc(hidden)]
pub mod __v1 {
    pub use crate::desc::*;
    pub use crate::frame::{Frame, as_u16, tensors};
    pub use crate::info::*;
    pub use crate::kernel::post::Post;
    pub use crate::kernel::*;
    pub use crate::layout::Layout;
    pub use crate::names;
    pub use crate::network::Network;
    pub use crate::params::Params;
}

// The README's code compiles and runs, with the features of its project.
#[cfg(all(doctest, feature = "images", feature = "progress"))]
#[doc = include_str!("../../README.md")]
struct Readme;

// As does that of the macro's documentation. Tested here, because a macro's own tests would have the runtime built anew.
#[cfg(all(doctest, feature = "onnx"))]
#[doc = include_str!("../../cnn-macros/src/language.md")]
struct Language;
