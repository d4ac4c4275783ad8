//! Optimisers: rules that turn gradients into better parameters.
//!
//! [`Sgd`], [`Adam`], [`AdamW`] and [`RmsProp`] follow PyTorch's rules, which a golden test holds them to.
//!
//! What a [`Trainer`](crate::train::Trainer) does to gradients, an [`Optimizer`] of one's own does in another loop: it
//! has them before the rule that it passes them on to. This one accumulates those of two batches, freezes a layer and
//! clips what is left:
//!
//! ```
//! use cnn_runtime::ndarray::Array4;
//! use cnn_runtime::optim::Memory;
//! use cnn_runtime::prelude::*;
//!
//! struct Careful {
//!     rule: Sgd,
//!     sum: Vec<f32>,
//!     batches: usize,
//! }
//!
//! impl Optimizer for Careful {
//!     fn update(&mut self, values: &mut [f32], gradients: &[f32], tensors: &[TensorInfo]) -> Result<(), Error> {
//!         self.sum.resize(gradients.len(), 0.0);
//!         self.sum.iter_mut().zip(gradients).for_each(|(sum, d)| *sum += d / 2.0);
//!         self.batches += 1;
//!         if self.batches % 2 == 1 {
//!             return Ok(());
//!         }
//!         let is_trained = |tensor: &&TensorInfo| !tensor.role.is_state() && !tensor.name.starts_with("conv1.");
//!         let trained: Vec<TensorInfo> = tensors.iter().filter(is_trained).copied().collect();
//!         let parts = trained.iter().flat_map(|tensor| &self.sum[tensor.offset..][..tensor.len()]);
//!         let norm = parts.map(|d| d * d).sum::<f32>().sqrt();
//!         self.sum.iter_mut().for_each(|d| *d *= (0.1 / norm).min(1.0));
//!         self.rule.update(values, &self.sum, &trained)?;
//!         self.sum.fill(0.0);
//!         Ok(())
//!     }
//!
//!     fn memory(&self) -> &Memory {
//!         self.rule.memory()
//!     }
//!
//!     fn memory_mut(&mut self) -> &mut Memory {
//!         self.rule.memory_mut()
//!     }
//! }
//!
//! cnn! { Net <1x4x4> -> conv(2, 3x3) -> relu -> fc(2) }
//!
//! let (mut net, start) = (Net::new(1), Net::new(1));
//! let mut careful = Careful { rule: Sgd::new(1.0), sum: Vec::new(), batches: 0 };
//! let mut workspace = net.train_workspace(6);
//! let batch = Array4::from_shape_fn((6, 1, 4, 4), |(n, _, h, w)| ((n % 2) * (h + w)) as f32);
//! for step in 0..2 {
//!     net.forward_train(&mut workspace, batch.view(), step)?;
//!     workspace.loss(&SoftmaxCrossEntropy, &[0, 1, 0, 1, 0, 1])?;
//!     net.backward(&mut workspace)?;
//!     careful.step(&mut net, &workspace)?;
//! }
//! assert_eq!(net.tensor("conv1.weight")?, start.tensor("conv1.weight")?);
//! let moved = net.params().values().iter().zip(start.params().values()).map(|(a, b)| (a - b).powi(2));
//! assert!((moved.sum::<f32>().sqrt() - 0.1).abs() < 1e-4);
//! # Ok::<(), Error>(())
//! ```

mod adam;
mod memory;
mod norm;
mod rms_prop;
mod rule;
mod sgd;

use std::any::type_name;

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
/// An optimiser works on the network's whole buffer at once; `tensors` tells which parts of it to change. What it remembers
/// stands in a [`Memory`], which checkpoints keep:
///
/// ```
/// use cnn_runtime::optim::Memory;
/// use cnn_runtime::prelude::*;
///
/// /// Goes by the sign of a mean of the gradients (Chen et al. 2023).
/// struct Lion {
///     memory: Memory,
/// }
///
/// impl Optimizer for Lion {
///     fn update(&mut self, values: &mut [f32], gradients: &[f32], tensors: &[TensorInfo]) -> Result<(), Error> {
///         let lr = self.memory.lr;
///         let [mean] = self.memory.buffers_mut(["mean"], values.len())?;
///         for tensor in tensors.iter().filter(|tensor| !tensor.role.is_state()) {
///             for at in tensor.offset..tensor.offset + tensor.len() {
///                 values[at] -= lr * (0.9 * mean[at] + 0.1 * gradients[at]).signum();
///                 mean[at] = 0.99 * mean[at] + 0.01 * gradients[at];
///             }
///         }
///         self.memory.steps += 1;
///         Ok(())
///     }
///
///     fn memory(&self) -> &Memory {
///         &self.memory
///     }
///
///     fn memory_mut(&mut self) -> &mut Memory {
///         &mut self.memory
///     }
/// }
///
/// let mut lion = Lion { memory: Memory::new(0.1) };
/// let (mut w, tensors) = ([1.0], [TensorInfo::alone("w", &[1])]);
/// lion.update(&mut w, &[2.0], &tensors)?;
/// assert_eq!((w, lion.memory().buffers().next()), ([0.9], Some(("mean", &[0.02][..]))));
/// # Ok::<(), Error>(())
/// ```
pub trait Optimizer {
    /// Changes `values` by `gradients`, which are equally long, where a trained tensor of `tensors` stands; all else
    /// stays as it is. What the rule remembers is made in the first call, and nothing is allocated in later ones.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a setting outside its range, [`Error::DataMismatch`] if there are not as many
    /// gradients as values, or an earlier call was for another network. The values are as they were then.
    ///
    /// # Panics
    /// If a trained tensor ends beyond the values.
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

    /// What the rule is called, by which a checkpoint of another rule is told: its type, without the modules it stands
    /// in and what it is generic over.
    fn name(&self) -> &'static str {
        let path = type_name::<Self>().split('<').next().unwrap_or_default();
        path.rsplit("::").next().unwrap_or_default()
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

/// The rule in the box.
impl<O: Optimizer + ?Sized> Optimizer for Box<O> {
    fn update(&mut self, values: &mut [f32], gradients: &[f32], tensors: &[TensorInfo]) -> Result<(), Error> {
        (**self).update(values, gradients, tensors)
    }

    fn memory(&self) -> &Memory {
        (**self).memory()
    }

    fn memory_mut(&mut self) -> &mut Memory {
        (**self).memory_mut()
    }

    fn buffers(&self) -> Option<&'static [&'static str]> {
        (**self).buffers()
    }

    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn lr(&self) -> f32 {
        (**self).lr()
    }

    fn set_lr(&mut self, lr: f32) {
        (**self).set_lr(lr);
    }
}
