//! The plan: where every value, gradient and saved statistic stands in one arena.
//!
//! [`fuse`] decides which layers are done by the one before them, [`storage`] which values share a buffer, `lifetime`
//! when each buffer is live, [`alloc`] where it stands.
//! Inference and training have a plan each. [`part`] says how many samples are inferred together.
//!
//! [`order`] decides, for both, in which order the elements of each value stand in its buffer. Whatever shares a buffer
//! has one order: what works in place or is fused into another layer keeps its input's, and a value that is read as one of
//! another shape is NCHW. Gradients and what layers save have the order of their values. Nobody outside sees blocks: the
//! network's input and output are NCHW, and what is shown of the values between is brought into that order.

pub mod alloc;
pub mod fuse;
mod lifetime;
pub mod order;
pub mod part;
pub mod storage;

use crate::backward::Tape;
use crate::ir::{Graph, ValueId};

use alloc::Span;
use fuse::Fusions;
use order::Order;
use storage::{BufferId, Exec, Mode};

/// What a buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A value, and those that later take its place.
    Value(ValueId),
    /// What a node keeps for the backward pass beside values.
    Saved {
        /// The node.
        node: usize,
        /// `argmax`, `mean`, `inv_std` or `scale`.
        part: &'static str,
    },
    /// The gradient of a value, and those that later take its place.
    Gradient(ValueId),
    /// Memory that one of a node's steps borrows.
    Scratch(usize),
}

/// A stretch of the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// What it holds.
    pub purpose: Purpose,
    /// Floats: per sample, or in all where `fixed`.
    pub len: usize,
    /// Whether its size is independent of the batch.
    pub fixed: bool,
    /// The first step at which it is live.
    pub first: usize,
    /// The last step at which it is live.
    pub last: usize,
    /// Its place: per sample, or from the end of the batch part where `fixed`.
    pub offset: usize,
}

impl Buffer {
    fn new(purpose: Purpose, len: usize, fixed: bool, at: usize) -> Self {
        Buffer { purpose, len, fixed, first: at, last: at, offset: 0 }
    }
}

/// The plan of one arena.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// All buffers.
    pub buffers: Vec<Buffer>,
    /// The buffer of each value.
    pub value: Vec<BufferId>,
    /// How each node runs forward.
    pub exec: Vec<Exec>,
    /// What layers do to their output as they write it.
    pub fusions: Fusions,
    /// The further buffers that each node keeps, in the order of its kernel's arguments.
    pub saved: Vec<Vec<BufferId>>,
    /// The buffer of each gradient of the tape.
    pub gradients: Vec<BufferId>,
    /// The memory that each node's forward step borrows.
    pub forward_scratch: Vec<Option<BufferId>>,
    /// The memory that each step of the tape borrows.
    pub scratch: Vec<Option<BufferId>>,
    /// Floats per sample.
    pub per_sample: usize,
    /// Floats whatever the batch.
    pub fixed: usize,
}

impl Plan {
    fn placed(mut self) -> Self {
        self.per_sample = self.place(false);
        self.fixed = self.place(true);
        self
    }

    fn place(&mut self, fixed: bool) -> usize {
        let chosen: Vec<BufferId> = (0..self.buffers.len()).filter(|&id| self.buffers[id].fixed == fixed).collect();
        let span = |&id: &BufferId| {
            let Buffer { len, first, last, .. } = self.buffers[id];
            Span { len, first, last }
        };
        let (offsets, total) = alloc::place(&chosen.iter().map(span).collect::<Vec<_>>());
        for (id, offset) in chosen.into_iter().zip(offsets) {
            self.buffers[id].offset = offset;
        }
        total
    }
}

/// Plans inference, where the values stand in these orders.
pub fn inference(graph: &Graph, orders: &[Order], tape: &Tape) -> Plan {
    lifetime::inference(graph, storage::assign(graph, orders, Mode::Inference, &tape.saved)).placed()
}

/// Plans training, where the values stand in these orders.
pub fn training(graph: &Graph, orders: &[Order], tape: &Tape) -> Plan {
    lifetime::training(graph, storage::assign(graph, orders, Mode::Training, &tape.saved), tape).placed()
}

#[cfg(test)]
mod tests;
