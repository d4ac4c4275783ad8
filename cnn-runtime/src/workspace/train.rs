//! The memory of training.

use std::fmt;
use std::marker::PhantomData;
use std::mem;

use ndarray::{ArrayD, ArrayView2, ArrayView4, ArrayViewMut2};

use super::{check, copy_batch, rows};
use crate::buffer::Buffer;
use crate::error::Error;
use crate::frame::{Frame, Probe};
use crate::info::{ArenaPlan, check_layer, is_of};
use crate::loss::Loss;
use crate::network::Network;
use crate::params;
use crate::pool;

/// How far a training step has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Idle,
    /// `n` samples went forward.
    Forward {
        n: usize,
        seed: u64,
    },
    /// The gradient by their output is known.
    Loss {
        n: usize,
        seed: u64,
    },
    /// The gradients by the parameters are known, and those by the input if they were wanted.
    Backward {
        n: usize,
        input: bool,
    },
}

/// The memory for training with batches of up to a fixed size: activations, what the backward pass needs, and the
/// gradients. Made by [`Network::train_workspace`].
pub struct TrainWorkspace<N> {
    arena: Buffer,
    gradients: Buffer,
    capacity: usize,
    stage: Stage,
    want_input: bool,
    frozen: Vec<bool>,
    network: PhantomData<fn() -> N>,
}

impl<N: Network> TrainWorkspace<N> {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        TrainWorkspace {
            arena: Buffer::zeroed(N::INFO.train.floats(capacity)),
            gradients: Buffer::zeroed(N::INFO.param_floats),
            capacity,
            stage: Stage::Idle,
            want_input: false,
            frozen: Vec::new(),
            network: PhantomData,
        }
    }

    /// Samples a batch may have at most.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes allocated: what the network's `train_bytes` says of this capacity. Parameters and the optimiser's
    /// buffers come on top, and what each [thread](crate#threads) that works on passes has to work in.
    pub fn bytes(&self) -> usize {
        self.arena.bytes() + self.gradients.bytes()
    }

    /// Whether backward passes also compute the gradient by the network's input. Off at first: training does not
    /// need it, and it costs about as much as the first layer's forward pass.
    pub fn set_input_gradient(&mut self, want: bool) {
        self.want_input = want;
    }

    /// Has batch normalisation in some layers go by its running statistics from now on, as in inference, and leave them as
    /// they are: in those called `layer`, or in a block called so. May be called several times. Gradients are as many as
    /// before: what leaves the layers' parameters as they are is an optimiser that passes over their tensors, as the one in
    /// [`optim`](crate::optim) does.
    ///
    /// # Errors
    /// [`Error::UnknownLayer`] if there is no such layer.
    pub fn freeze(&mut self, layer: &str) -> Result<(), Error> {
        check_layer(N::INFO, layer)?;
        self.frozen.resize(N::INFO.layers.len(), false);
        self.frozen.iter_mut().zip(N::INFO.layers).for_each(|(frozen, info)| *frozen |= is_of(info.name, layer));
        Ok(())
    }

    /// The results of the last forward pass, a row per sample. A backward pass leaves them as they are.
    ///
    /// # Errors
    /// [`Error::OutOfTurn`] before the first forward pass.
    pub fn output(&self) -> Result<ArrayView2<'_, f32>, Error> {
        let n = match self.stage {
            Stage::Forward { n, .. } | Stage::Loss { n, .. } | Stage::Backward { n, .. } => n,
            Stage::Idle => return Err(Error::OutOfTurn { call: "output", missing: "forward_train" }),
        };
        Ok(rows(&N::INFO.train, n, &self.arena[self.frame(n).range(N::INFO.train.output)]))
    }

    /// Computes the loss of the last forward pass against `targets`, and its gradient by the network's output.
    ///
    /// # Errors
    /// [`Error::OutOfTurn`] without a forward pass before it, and what the loss itself finds wrong: targets that do
    /// not match the batch, or a result that is not finite.
    pub fn loss<T: ?Sized>(&mut self, loss: &impl Loss<T>, targets: &T) -> Result<f32, Error> {
        let (n, seed) = self.forward_done("loss")?;
        self.stage = Stage::Forward { n, seed };
        let plan = &N::INFO.train;
        let [output, d_output] = self.frame(n).views(&mut self.arena, [plan.output, plan.d_output]);
        let d_output = rows_mut(plan, n, d_output);
        let value = loss.evaluate(rows(plan, n, output), targets, d_output)?;
        if !value.is_finite() {
            return Err(Error::LossNotFinite { loss: value, step: None });
        }
        self.stage = Stage::Loss { n, seed };
        Ok(value)
    }

    /// The gradient by the network's output, to be written by hand instead of by [`loss`](TrainWorkspace::loss). The
    /// caller has to overwrite all of it before the backward pass.
    ///
    /// # Errors
    /// [`Error::OutOfTurn`] without a forward pass before it.
    pub fn output_gradient_mut(&mut self) -> Result<ArrayViewMut2<'_, f32>, Error> {
        let (n, seed) = self.forward_done("output_gradient_mut")?;
        self.stage = Stage::Loss { n, seed };
        let range = self.frame(n).range(N::INFO.train.d_output);
        Ok(rows_mut(&N::INFO.train, n, &mut self.arena[range]))
    }

    /// A copy of the gradient by the parameter `name`, as in `conv1.weight`.
    ///
    /// # Errors
    /// [`Error::UnknownTensor`] if the network has no such tensor, [`Error::NoGradient`] if it is a running statistic,
    /// [`Error::OutOfTurn`] before a backward pass.
    pub fn gradient(&self, name: &str) -> Result<ArrayD<f32>, Error> {
        let tensor = params::find(N::INFO, name)?;
        if tensor.role.is_state() {
            let why = "it is a running statistic, which is not trained";
            return Err(Error::NoGradient { network: N::INFO.name, name: name.to_owned(), why });
        }
        Ok(params::to_array(tensor, &self.gradients("gradient")?[params::range(tensor)]))
    }

    /// The gradient by the input, NCHW. Asked for by
    /// [`set_input_gradient`](TrainWorkspace::set_input_gradient) before the backward pass.
    ///
    /// # Errors
    /// [`Error::OutOfTurn`] if the last backward pass did not compute it.
    pub fn input_gradient(&self) -> Result<ArrayView4<'_, f32>, Error> {
        match self.stage {
            Stage::Backward { n, input: true } => {
                let [c, h, w] = N::INFO.input;
                let values = &self.arena[self.frame(n).range(N::INFO.train.d_input)];
                Ok(ArrayView4::from_shape((n, c, h, w), values).expect("the slot is as long as the batch"))
            }
            Stage::Backward { .. } => {
                Err(Error::OutOfTurn { call: "input_gradient", missing: "set_input_gradient(true)" })
            }
            _ => Err(Error::OutOfTurn { call: "input_gradient", missing: "backward" }),
        }
    }

    /// The gradients by all parameters, in the order of [`Params::values`](crate::Params::values).
    pub(crate) fn gradients(&self, call: &'static str) -> Result<&[f32], Error> {
        match self.stage {
            Stage::Backward { .. } => Ok(&self.gradients),
            _ => Err(Error::OutOfTurn { call, missing: "backward" }),
        }
    }

    /// The gradients by all parameters, to be changed before an optimiser's step.
    pub(crate) fn gradients_mut(&mut self, call: &'static str) -> Result<&mut [f32], Error> {
        match self.stage {
            Stage::Backward { .. } => Ok(&mut self.gradients),
            _ => Err(Error::OutOfTurn { call, missing: "backward" }),
        }
    }

    /// Checks a batch, copies it in, and returns its size.
    pub(crate) fn fill(&mut self, batch: ArrayView4<'_, f32>) -> Result<usize, Error> {
        let n = check(N::INFO, self.capacity, &batch)?;
        copy_batch(batch, self.samples_mut(n));
        Ok(n)
    }

    /// Where the first `n` samples of the input stand, to be overwritten.
    pub(crate) fn samples_mut(&mut self, n: usize) -> &mut [f32] {
        self.stage = Stage::Idle;
        let range = self.frame(n).range(N::INFO.train.input);
        &mut self.arena[range]
    }

    /// Layers, by their place in the network, whose batch normalisation goes by its running statistics from now on.
    pub(crate) fn set_frozen(&mut self, layers: Vec<bool>) {
        self.frozen = layers;
    }

    /// The forward pass over `n` samples that already stand in the arena.
    pub(crate) fn run_forward(&mut self, network: &mut N, n: usize, seed: u64) {
        let frame = Frame { frozen: &self.frozen, ..self.frame(n) };
        let arena = &mut self.arena[..];
        let (values, state) = network.params_mut().split();
        pool::run(N::INFO, n, || N::train_forward(values, state, frame, arena, seed));
        self.stage = Stage::Forward { n, seed };
    }

    pub(crate) fn run_backward(&mut self, network: &N) -> Result<(), Error> {
        let frozen = mem::take(&mut self.frozen);
        let outcome = self.backward(network, |frame| Frame { frozen: &frozen, ..frame });
        self.frozen = frozen;
        outcome
    }

    /// The forward pass as in inference, with somebody looking on.
    pub(crate) fn inspect_forward(&mut self, network: &N, n: usize, probe: &dyn Probe) {
        let frame = Frame { inspect: true, probe: Some(probe), ..self.frame(n) };
        let arena = &mut self.arena[..];
        // Nothing is written to it, but training might.
        let mut state = network.params().state().to_vec();
        pool::run(N::INFO, n, || N::train_forward(network.params().values(), &mut state, frame, arena, 0));
        self.stage = Stage::Forward { n, seed: 0 };
    }

    /// The backward pass of [`inspect_forward`](TrainWorkspace::inspect_forward).
    pub(crate) fn inspect_backward(&mut self, network: &N, probe: &dyn Probe) -> Result<(), Error> {
        self.backward(network, |frame| Frame { inspect: true, probe: Some(probe), ..frame })
    }

    fn backward<'f>(&mut self, network: &N, frame: impl FnOnce(Frame<'f>) -> Frame<'f>) -> Result<(), Error> {
        let (n, seed) = match self.stage {
            Stage::Loss { n, seed } => (n, seed),
            Stage::Forward { .. } => return Err(Error::OutOfTurn { call: "backward", missing: "loss" }),
            _ => return Err(Error::OutOfTurn { call: "backward", missing: "forward_train" }),
        };
        let (frame, input) = (frame(self.frame(n)), self.want_input);
        let (arena, gradients) = (&mut self.arena[..], &mut self.gradients[..]);
        let values = network.params().values();
        pool::run(N::INFO, n, || N::train_backward(values, gradients, frame, arena, seed, input));
        self.stage = Stage::Backward { n, input };
        Ok(())
    }

    fn frame(&self, n: usize) -> Frame<'static> {
        Frame::new(&N::INFO.train, n, self.capacity)
    }

    /// Samples and seed of a forward pass that no backward pass, which reuses its memory, has used up yet.
    fn forward_done(&self, call: &'static str) -> Result<(usize, u64), Error> {
        match self.stage {
            Stage::Forward { n, seed } | Stage::Loss { n, seed } => Ok((n, seed)),
            Stage::Idle | Stage::Backward { .. } => Err(Error::OutOfTurn { call, missing: "forward_train" }),
        }
    }
}

impl<N> fmt::Debug for TrainWorkspace<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrainWorkspace")
            .field("capacity", &self.capacity)
            .field("bytes", &(self.arena.bytes() + self.gradients.bytes()))
            .field("stage", &self.stage)
            .finish()
    }
}

fn rows_mut<'a>(plan: &ArenaPlan, n: usize, values: &'a mut [f32]) -> ArrayViewMut2<'a, f32> {
    ArrayViewMut2::from_shape((n, plan.d_output.len), values).expect("the slot is as long as the batch")
}
