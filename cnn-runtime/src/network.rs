//! What every network declared with `cnn!` can do.

#[cfg(feature = "safetensors")]
use std::path::Path;

use bytemuck::Pod;
use ndarray::{ArrayD, ArrayView, ArrayView2, ArrayView4, Dimension};

use crate::error::Error;
use crate::frame::Frame;
use crate::info::{NetInfo, TensorInfo};
use crate::init::Init;
use crate::inspect::Inspection;
#[cfg(feature = "onnx")]
use crate::onnx;
use crate::params::Params;
#[cfg(feature = "safetensors")]
use crate::weights::{Loader, Saver, Weights};
use crate::workspace::{TrainWorkspace, Workspace, run_infer};

/// A network: sizes and passes emitted by `cnn!`, and everything built on them.
///
/// The required items are written by the macro; do not implement them by hand. The methods come in two groups:
///
/// - inference: [`workspace`](Network::workspace), then [`forward`](Network::forward) for one image of a size the
///   compiler checks, or [`forward_batch`](Network::forward_batch) for a batch;
/// - training, a step at a time: [`train_workspace`](Network::train_workspace), then
///   [`forward_train`](Network::forward_train), [`TrainWorkspace::loss`], [`backward`](Network::backward) and
///   [`Optimizer::step`](crate::optim::Optimizer::step). [`Trainer`](crate::train::Trainer) does all of it.
///
/// Once warm, a pass allocates nothing: the first ones make the working memory of the threads that they run on, or
/// [`warm_threads`](crate::warm_threads) makes that of all. Results are the same, bit for bit, on any number of
/// threads.
///
/// A large pass is shared with other threads, unless it is called in [`alone`](crate::alone), as by a server that has many
/// at once. Called in a rayon pool, it is shared with that pool's threads, and while it waits for them its own thread may
/// take up another task of the pool. So give each task a workspace of its own, rather than one behind a lock that they
/// all take: a task that is taken up so would wait for the lock that its own thread holds.
pub trait Network: Sized + Send + Sync + 'static {
    /// One image: nested arrays `[[[f32; W]; H]; C]`.
    type Input: Pod;
    /// One result: `[f32; CLASSES]`, or `[[[f32; W]; H]; C]` for a network that ends in a map.
    type Output: Pod;
    /// All that is known at compile time.
    const INFO: &'static NetInfo;

    /// A network of these parameters.
    fn from_params(params: Params<Self>) -> Self;
    /// The parameters.
    fn params(&self) -> &Params<Self>;
    /// The parameters, to be changed.
    fn params_mut(&mut self) -> &mut Params<Self>;

    /// The inference pass over an arena of `INFO.infer`: `p` are the parameters, `s` the running statistics.
    #[doc(hidden)]
    fn infer(p: &[f32], s: &[f32], frame: Frame<'_>, arena: &mut [f32]);
    /// The forward pass of training over an arena of `INFO.train`. Updates the running statistics `s`; `seed` decides
    /// what dropout drops.
    #[doc(hidden)]
    fn train_forward(p: &[f32], s: &mut [f32], frame: Frame<'_>, arena: &mut [f32], seed: u64);
    /// The backward pass over the arena that [`train_forward`](Network::train_forward) left, from the gradient in
    /// `INFO.train.d_output`. Overwrites the gradients `g`; fills `INFO.train.d_input` only if `want_input`.
    #[doc(hidden)]
    fn train_backward(p: &[f32], g: &mut [f32], frame: Frame<'_>, arena: &mut [f32], seed: u64, want_input: bool);

    /// A network with weights as [`Init::HeNormal`] draws them. The same seed gives the same network.
    fn new(seed: u64) -> Self {
        Self::with_init(Init::default(), seed)
    }

    /// A network with weights as `init` draws them.
    fn with_init(init: Init, seed: u64) -> Self {
        Self::from_params(Params::new(init, seed))
    }

    /// A copy of the tensor `name`, as in `conv1.weight`, of the shape that [`TensorInfo::shape`] tells.
    ///
    /// # Errors
    /// [`Error::UnknownTensor`] if the network has no such tensor.
    fn tensor(&self, name: &str) -> Result<ArrayD<f32>, Error> {
        self.params().tensor(name)
    }

    /// Overwrites the tensor `name`, as in `conv1.weight`, of the shape that [`TensorInfo::shape`] tells.
    ///
    /// # Errors
    /// [`Error::UnknownTensor`] if the network has no such tensor, [`Error::TensorShape`] if it has another shape.
    fn set_tensor<D: Dimension>(&mut self, name: &str, values: ArrayView<'_, f32, D>) -> Result<(), Error> {
        self.params_mut().set_tensor(name, values)
    }

    /// Saves all tensors, running statistics included, under their names: as a safetensors file or, if the name ends in
    /// `.npz` and the feature `npz` is on, as NumPy's. The file is written whole or not at all.
    /// [`Saver`] can write PyTorch's names.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written.
    #[cfg(feature = "safetensors")]
    fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        Saver::new().save(self, path)
    }

    /// Writes the network as an ONNX model, opset 20, which infers batches of any size: the layers of the declaration as
    /// nodes of the same names, weights and running statistics inside. Dropout passes values through. The file is
    /// written whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written, or would have 2 GiB, which is more than a model may have.
    /// [`Error::DataMismatch`] if a `resize` has a scale that ONNX would make another size of: the old size times the
    /// scale, rounded down.
    #[cfg(feature = "onnx")]
    fn export_onnx(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        onnx::export(self, path.as_ref())
    }

    /// Loads all tensors from a safetensors file or, with the feature `npz`, from NumPy's: under the network's own names,
    /// or under those that PyTorch has for the same layers. With the feature `onnx`, also from the ONNX model that the
    /// network was made of, or was exported to. Of a run's checkpoint it takes the weights alone. If anything is wrong,
    /// the network stays as it is.
    /// [`Loader`] has rules for files that do not fit exactly.
    ///
    /// # Errors
    /// [`Error::WeightsMismatch`] with every tensor that does not fit; [`Error::Io`] and [`Error::Format`] if the file
    /// cannot be read.
    #[cfg(feature = "safetensors")]
    fn load(&mut self, path: impl AsRef<Path>) -> Result<(), Error> {
        Loader::new().load(self, path).map(drop)
    }

    /// A network with the weights that its declaration embeds: `weights = "file.safetensors" embed`, or
    /// `onnx "model.onnx" embed`. The macro has
    /// checked that they fit; their numbers are copied into the network. What else the file says,
    /// [`Weights::embedded`] tells.
    ///
    /// # Errors
    /// [`Error::NothingEmbedded`] if the declaration embeds none.
    #[cfg(feature = "safetensors")]
    fn pretrained() -> Result<Self, Error> {
        let file = Weights::embedded::<Self>()?;
        let mut network = Self::from_params(Params::zeroed());
        Loader::new().apply(&mut network, &file)?;
        Ok(network)
    }

    /// The names and shapes of all tensors, running statistics included, in the order of their layers.
    fn tensors(&self) -> impl Iterator<Item = (&'static str, &'static TensorInfo)> {
        Self::INFO.tensors.iter().map(|tensor| (tensor.name, tensor))
    }

    /// A black image, on the heap.
    fn blank_image() -> Box<Self::Input> {
        bytemuck::allocation::zeroed_box()
    }

    /// Memory to infer batches of up to `capacity` samples in. A capacity of 0 is taken as 1.
    ///
    /// # Panics
    /// If its bytes exceed `isize::MAX`. Aborts if memory runs out.
    fn workspace(&self, capacity: usize) -> Workspace<Self> {
        Workspace::new(capacity)
    }

    /// Runs one image through the network.
    fn forward<'w>(&self, workspace: &'w mut Workspace<Self>, image: &Self::Input) -> &'w Self::Output {
        workspace.fill_one(image);
        run_infer(self, workspace, 1);
        workspace.one()
    }

    /// Runs a batch, NCHW in any memory layout, through the network: a row of results per sample.
    ///
    /// # Errors
    /// [`Error::InputShape`], [`Error::EmptyBatch`] or [`Error::BatchTooLarge`], before anything is computed.
    fn forward_batch<'w>(
        &self,
        workspace: &'w mut Workspace<Self>,
        batch: ArrayView4<'_, f32>,
    ) -> Result<ArrayView2<'w, f32>, Error> {
        let n = workspace.fill(batch)?;
        run_infer(self, workspace, n);
        Ok(workspace.rows(n))
    }

    /// As [`forward_batch`](Network::forward_batch), for a network that ends in a map: samples, channels, height and
    /// width. Of one that ends in features, height and width are 1.
    ///
    /// # Errors
    /// As [`forward_batch`](Network::forward_batch).
    fn forward_maps<'w>(
        &self,
        workspace: &'w mut Workspace<Self>,
        batch: ArrayView4<'_, f32>,
    ) -> Result<ArrayView4<'w, f32>, Error> {
        let rows = self.forward_batch(workspace, batch)?;
        let [c, h, w] = match *Self::INFO.output {
            [c, h, w] => [c, h, w],
            _ => [rows.ncols(), 1, 1],
        };
        let shape = (rows.nrows(), c, h, w);
        Ok(rows.into_shape_with_order(shape).expect("a row has all values of the output"))
    }

    /// What every layer makes of a batch, as in inference. Where an activation is applied as the layer before it writes
    /// its output, that layer shows what the activation made of it: a convolution before `relu` has no value below zero.
    /// Allocates as much as a training step and all outputs take.
    ///
    /// # Errors
    /// [`Error::InputShape`] or [`Error::EmptyBatch`], before anything is computed.
    fn inspect(&self, batch: ArrayView4<'_, f32>) -> Result<Inspection, Error> {
        Inspection::new(self, batch, None)
    }

    /// As [`inspect`](Network::inspect), and how the score of `class`, the output at its place, changes with each
    /// layer's output and with the batch.
    ///
    /// # Errors
    /// As [`inspect`](Network::inspect), and [`Error::DataMismatch`] for a class without a score.
    fn inspect_class(&self, batch: ArrayView4<'_, f32>, class: usize) -> Result<Inspection, Error> {
        Inspection::new(self, batch, Some(class))
    }

    /// Memory to train with batches of up to `capacity` samples. A capacity of 0 is taken as 1.
    ///
    /// # Panics
    /// If its bytes exceed `isize::MAX`. Aborts if memory runs out.
    fn train_workspace(&self, capacity: usize) -> TrainWorkspace<Self> {
        TrainWorkspace::new(capacity)
    }

    /// The forward pass of a training step: dropout drops, batch normalisation uses the batch's statistics and updates
    /// its running ones, and what the backward pass needs is kept in the workspace. `seed` decides what dropout drops;
    /// give each step its own. Returns a row of results per sample.
    ///
    /// # Errors
    /// [`Error::InputShape`], [`Error::EmptyBatch`] or [`Error::BatchTooLarge`], before anything is computed.
    fn forward_train<'w>(
        &mut self,
        workspace: &'w mut TrainWorkspace<Self>,
        batch: ArrayView4<'_, f32>,
        seed: u64,
    ) -> Result<ArrayView2<'w, f32>, Error> {
        let n = workspace.fill(batch)?;
        workspace.run_forward(self, n, seed);
        workspace.output()
    }

    /// The backward pass of a training step: turns the loss's gradient by the output into gradients by every
    /// parameter, which [`TrainWorkspace::gradient`] shows.
    ///
    /// # Errors
    /// [`Error::OutOfTurn`] unless a forward pass and a loss stand before it.
    fn backward(&self, workspace: &mut TrainWorkspace<Self>) -> Result<(), Error> {
        workspace.run_backward(self)
    }
}

#[cfg(test)]
mod tests;
