//! Optimisers: rules that turn gradients into better parameters.
//!
//! [`Sgd`], [`Adam`], [`AdamW`] and [`RmsProp`] follow PyTorch's rules, which a golden test holds them to.

mod adam;
mod memory;
mod norm;
mod rms_prop;
mod rule;
mod sgd;

use crate::error::Error;
use crate::info::TensorInfo;
use crate::network::Network;
use crate::workspace::TrainWorkspace;

pub use adam::{Adam, AdamW};
pub use memory::Memory;
#[cfg(feature = "safetensors")]
pub(crate) use memory::listed;
pub(crate) use norm::{clip, scale};
pub use rms_prop::RmsProp;
pub use sgd::Sgd;

/// A rule that changes parameters by their gradients.
///
/// An optimiser works on the network's whole buffer at once; `tensors` tells which parts of it to change.
pub trait Optimizer {
    /// Changes `values` by `gradients`, which are equally long, where a trained tensor of `tensors` stands; all else
    /// stays as it is. What the rule remembers is made in the first call, and nothing is allocated in later ones.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a setting outside its range, [`Error::DataMismatch`] if an earlier call was for
    /// another network. The values are as they were then.
    fn update(&mut self, values: &mut [f32], gradients: &[f32], tensors: &[TensorInfo]) -> Result<(), Error>;

    /// The learning rate, and what the rule remembers of earlier steps.
    fn memory(&self) -> &Memory;

    /// As [`memory`](Optimizer::memory), to be restored.
    fn memory_mut(&mut self) -> &mut Memory;

    /// The names of the buffers that the rule remembers, in their order, by which a checkpoint of another rule is told;
    /// `None` if they are not known before the first step.
    fn buffers(&self) -> Option<&'static [&'static str]> {
        None
    }

    /// The learning rate.
    fn lr(&self) -> f32 {
        self.memory().lr
    }

    /// Changes the learning rate.
    fn set_lr(&mut self, lr: f32) {
        self.memory_mut().lr = lr;
    }

    /// Changes a network's parameters by the gradients of the backward pass before it.
    ///
    /// # Errors
    /// [`Error::OutOfTurn`] without a backward pass, and as [`update`](Optimizer::update).
    fn step<N: Network>(&mut self, network: &mut N, workspace: &TrainWorkspace<N>) -> Result<(), Error>
    where
        Self: Sized,
    {
        let gradients = workspace.gradients("step")?;
        self.update(network.params_mut().values_mut(), gradients, N::INFO.tensors)
    }
}
