//! Optimisers: how gradients change parameters.

mod sgd;

use crate::error::Error;
use crate::info::TensorInfo;
use crate::network::Network;
use crate::workspace::TrainWorkspace;

pub use sgd::Sgd;

/// A rule that changes parameters by their gradients.
///
/// An optimiser works on the network's whole buffer at once; `tensors` tells which part of it is what.
pub trait Optimizer {
    /// Changes `values` by `gradients`, which are equally long. Buffers the rule needs are made in the first call, and
    /// nothing is allocated in later ones. Padding between tensors is zero in both and has to stay so.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a setting outside its range, [`Error::DataMismatch`] if an earlier call was for
    /// another network. The values are as they were then.
    fn update(&mut self, values: &mut [f32], gradients: &[f32], tensors: &'static [TensorInfo]) -> Result<(), Error>;

    /// The learning rate.
    fn lr(&self) -> f32;

    /// Changes the learning rate.
    fn set_lr(&mut self, lr: f32);

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
