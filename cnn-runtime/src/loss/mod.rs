//! Losses: a number to make small, and its gradient by the network's output.

mod binary;
mod by_element;
mod cross_entropy;
mod labels;
mod mse;

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::error::Error;

pub use binary::BinaryCrossEntropy;
pub use cross_entropy::SoftmaxCrossEntropy;
pub(crate) use cross_entropy::{class, cross_entropy};
pub use labels::Labels;
pub use mse::Mse;

/// A loss against targets of type `T`. [The guide](crate::guide::ch12_from_here#of-your-own) has one of one's own.
pub trait Loss<T: ?Sized> {
    /// The loss of a batch, averaged as the loss says. Overwrites `d_output` with its gradient by `output`; both have
    /// a row per sample and are in standard layout.
    ///
    /// # Errors
    /// If the targets do not match the batch.
    fn evaluate(
        &self,
        output: ArrayView2<'_, f32>,
        targets: &T,
        d_output: ArrayViewMut2<'_, f32>,
    ) -> Result<f32, Error>;
}
