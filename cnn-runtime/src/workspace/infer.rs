//! The memory of inference, and how a batch passes through it: at once or, where the plan says so, in parts.
//!
//! A layer of a small network is over before the threads have shared it out, and what one has written another reads from
//! the first one's cache. So each thread takes a part of the batch through all layers, in an arena of its own, which it
//! uses again for the next part.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

use ndarray::{ArrayView2, ArrayView4};

use super::{check, copy_batch, rows};
use crate::buffer::Buffer;
use crate::error::Error;
use crate::frame::Frame;
use crate::info::ArenaPlan;
use crate::network::Network;
use crate::pool;

/// The memory for inference of batches of up to a fixed size. Made by [`Network::workspace`].
pub struct Workspace<N> {
    /// The arena; of a batch in parts, all inputs, all outputs, and the arenas of parts.
    memory: Buffer,
    capacity: usize,
    network: PhantomData<fn() -> N>,
}

impl<N: Network> Workspace<N> {
    const PLAN: &'static ArenaPlan = &N::INFO.infer;

    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Workspace { memory: Buffer::zeroed(Self::PLAN.floats(capacity)), capacity, network: PhantomData }
    }

    /// Samples a batch may have at most.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes allocated: what the network's `infer_bytes` says of this capacity. Parameters come on top, and what each
    /// [thread](crate#threads) that works on passes has to work in.
    pub fn bytes(&self) -> usize {
        self.memory.bytes()
    }

    /// Copies one image in.
    pub(crate) fn fill_one(&mut self, image: &N::Input) {
        self.samples_mut(1).copy_from_slice(bytemuck::cast_slice(std::slice::from_ref(image)));
    }

    /// Checks a batch, copies it in, and returns its size.
    pub(crate) fn fill(&mut self, batch: ArrayView4<'_, f32>) -> Result<usize, Error> {
        let n = check(N::INFO, self.capacity, &batch)?;
        copy_batch(batch, self.samples_mut(n));
        Ok(n)
    }

    /// Where the first `n` samples of the input stand.
    pub(crate) fn samples_mut(&mut self, n: usize) -> &mut [f32] {
        match Self::PLAN.parts(self.capacity) {
            Some(parts) => &mut self.memory[..parts.inputs][..n * Self::PLAN.input.len],
            None => {
                let range = self.frame(n).range(Self::PLAN.input);
                &mut self.memory[range]
            }
        }
    }

    /// The result of the one image that went forward.
    pub(crate) fn one(&self) -> &N::Output {
        bytemuck::from_bytes(bytemuck::cast_slice(self.outputs(1)))
    }

    /// The results of the `n` samples that went forward.
    pub(crate) fn rows(&self, n: usize) -> ArrayView2<'_, f32> {
        rows(Self::PLAN, n, self.outputs(n))
    }

    fn outputs(&self, n: usize) -> &[f32] {
        match Self::PLAN.parts(self.capacity) {
            Some(parts) => &self.memory[parts.inputs..][..n * Self::PLAN.output.len],
            None => &self.memory[self.frame(n).range(Self::PLAN.output)],
        }
    }

    fn frame(&self, n: usize) -> Frame<'static> {
        Frame::new(Self::PLAN, n, self.capacity)
    }
}

/// Inference of `n` samples that already stand in the workspace.
pub(crate) fn run_infer<N: Network>(network: &N, workspace: &mut Workspace<N>, n: usize) {
    let (plan, params, capacity) = (&N::INFO.infer, network.params(), workspace.capacity);
    let infer = |n, capacity, arena: &mut [f32]| {
        let frame = Frame { kept: Some(params.kept()), ..Frame::new(plan, n, capacity) };
        N::infer(params.values(), params.state(), frame, arena);
    };
    let Some(parts) = plan.parts(capacity) else {
        let arena = &mut workspace.memory[..];
        return pool::run(N::INFO, n, || infer(n, capacity, arena));
    };
    let (inputs, rest) = workspace.memory.split_at_mut(parts.inputs);
    let (outputs, arenas) = rest.split_at_mut(parts.outputs);
    let inputs = inputs[..n * plan.input.len].chunks(plan.part * plan.input.len);
    let outputs = outputs[..n * plan.output.len].chunks_mut(plan.part * plan.output.len);
    let count = inputs.len();
    let (work, arenas) = (Mutex::new(inputs.zip(outputs)), Mutex::new(arenas.chunks_exact_mut(parts.arena)));
    // Whoever panicked has taken its part with it.
    let next_part = || work.lock().unwrap_or_else(PoisonError::into_inner).next();
    let next_arena = || arenas.lock().unwrap_or_else(PoisonError::into_inner).next();
    let task = |_| {
        let Some(arena) = next_arena() else { return };
        while let Some((inputs, outputs)) = next_part() {
            let n = inputs.len() / plan.input.len;
            let frame = Frame::new(plan, n, plan.part);
            arena[frame.range(plan.input)].copy_from_slice(inputs);
            infer(n, plan.part, arena);
            outputs.copy_from_slice(&arena[frame.range(plan.output)]);
        }
    };
    // Too few samples for all threads, which share the layers of each then: where samples pass alone, these are large enough.
    let in_turn = plan.part == 1 && count < rayon::current_num_threads();
    pool::run(N::INFO, n, || match count.min(parts.arenas) {
        tasks if tasks == 1 || in_turn => task(0),
        tasks if pool::is_awake() => pool::share(tasks, &task),
        _ => pool::alone(|| task(0)),
    });
}

impl<N> fmt::Debug for Workspace<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workspace").field("capacity", &self.capacity).field("bytes", &self.memory.bytes()).finish()
    }
}
