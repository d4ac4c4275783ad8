//! What every way of computing a pass of a convolution is given. Lengths are checked before.

use crate::desc::{Conv, Write};
use crate::dispatch::Isa;
use crate::kernel::post::Post;

/// What a convolution's products run on: those of a `direct` one round as vectors do, on no matrix unit.
pub(super) fn isa_of(d: &Conv, isa: Isa) -> Isa {
    if d.direct { isa.without_matrix() } else { isa }
}

/// From `n` samples of the input to their outputs, which are overwritten, or added to: then nothing else is done to them,
/// and `post` is empty.
#[derive(Clone, Copy)]
pub(super) struct Forward<'a> {
    pub isa: Isa,
    pub d: &'a Conv,
    pub n: usize,
    pub input: &'a [f32],
    pub weight: &'a [f32],
    pub post: Post<'a>,
    pub write: Write,
}

/// From the gradients by the outputs of `n` samples to those by their inputs.
#[derive(Clone, Copy)]
pub(super) struct BackwardData<'a> {
    pub isa: Isa,
    pub d: &'a Conv,
    pub n: usize,
    pub weight: &'a [f32],
    pub d_output: &'a [f32],
    pub write: Write,
}

/// From `n` samples of the input and the gradients by their outputs to those by the weights, which are overwritten.
#[derive(Clone, Copy)]
pub(super) struct BackwardWeights<'a> {
    pub isa: Isa,
    pub d: &'a Conv,
    pub n: usize,
    pub input: &'a [f32],
    pub d_output: &'a [f32],
}
