//! What a convolution or a fully connected layer does to each output as it writes it: bias, batch normalisation by
//! running statistics, the sum with another value, and an activation that is a clamp.
//!
//! All of it is `clamp(product * factor + offset + residual)` with a factor and an offset for each channel.

use std::ops::Range;

use super::math::clamp;
use crate::desc::{Act, BatchNorm};

/// A batch normalisation by running statistics: one value per channel in each slice.
#[derive(Clone, Copy, Debug)]
struct Norm<'a> {
    scale: &'a [f32],
    shift: &'a [f32],
    mean: &'a [f32],
    var: &'a [f32],
    eps: f32,
}

/// What is done to the outputs of a layer, in the order of the methods that ask for it.
#[derive(Clone, Copy, Debug)]
pub struct Post<'a> {
    bias: Option<&'a [f32]>,
    norm: Option<Norm<'a>>,
    residual: Option<&'a [f32]>,
    /// Least and greatest value.
    clamp: (f32, f32),
}

impl Default for Post<'_> {
    fn default() -> Self {
        Post::new()
    }
}

/// A bias, if there is one, and nothing else.
impl<'a> From<Option<&'a [f32]>> for Post<'a> {
    fn from(bias: Option<&'a [f32]>) -> Self {
        Post { bias, ..Post::new() }
    }
}

impl<'a> Post<'a> {
    /// Nothing.
    pub const fn new() -> Self {
        Post { bias: None, norm: None, residual: None, clamp: (f32::NEG_INFINITY, f32::INFINITY) }
    }

    /// Adds a value per output channel.
    #[must_use]
    pub const fn bias(mut self, bias: &'a [f32]) -> Self {
        self.bias = Some(bias);
        self
    }

    /// Normalises as [`batch_norm::forward`](super::batch_norm::forward) does.
    ///
    /// # Panics
    /// If a slice has not one value per channel.
    #[must_use]
    pub fn norm(mut self, d: &BatchNorm, scale: &'a [f32], shift: &'a [f32], mean: &'a [f32], var: &'a [f32]) -> Self {
        assert!([scale, shift, mean, var].iter().all(|part| part.len() == d.channels), "one value per channel");
        self.norm = Some(Norm { scale, shift, mean, var, eps: d.eps });
        self
    }

    /// Adds a value of the output's shape.
    #[must_use]
    pub const fn add(mut self, residual: &'a [f32]) -> Self {
        self.residual = Some(residual);
        self
    }

    /// Activates.
    ///
    /// # Panics
    /// If the activation is not a clamp: neither `Relu` nor `Relu6` nor `Clip`.
    #[must_use]
    pub fn act(mut self, act: Act) -> Self {
        self.clamp = match act {
            Act::Relu => (0.0, f32::INFINITY),
            Act::Relu6 => (0.0, 6.0),
            Act::Clip { lo, hi } => (lo, hi),
            other => panic!("{other:?} is not a clamp"),
        };
        self
    }

    /// Asserts that this is for `channels` channels and an output of `len` floats.
    pub(crate) fn check(&self, channels: usize, len: usize) {
        assert!(self.bias.is_none_or(|bias| bias.len() == channels), "one bias per output channel");
        assert!(self.norm.is_none_or(|norm| norm.scale.len() == channels), "one normalisation per output channel");
        assert!(self.residual.is_none_or(|residual| residual.len() == len), "a residual of the output's length");
    }

    /// The same for the first `at` floats of the output, and for those behind.
    pub(crate) fn split(self, at: usize) -> [Self; 2] {
        let parts = self.residual.map(|residual| residual.split_at(at));
        [Post { residual: parts.map(|parts| parts.0), ..self }, Post { residual: parts.map(|parts| parts.1), ..self }]
    }

    /// Whether there is at most a bias.
    pub(crate) fn is_bias(&self) -> bool {
        self.norm.is_none() && self.residual.is_none() && self.clamp == Post::new().clamp
    }

    /// The bias alone.
    pub(crate) fn bias_of(&self) -> Option<&'a [f32]> {
        self.bias
    }

    /// What is added, if anything.
    pub(crate) fn residual(&self) -> Option<&'a [f32]> {
        self.residual
    }

    /// What outputs are multiplied by, and what is then added, in a channel.
    #[inline(always)]
    pub(crate) fn affine(&self, channel: usize) -> (f32, f32) {
        let bias = self.bias.map_or(0.0, |bias| bias[channel]);
        self.norm.map_or((1.0, bias), |norm| {
            let factor = norm.scale[channel] / (norm.var[channel] + norm.eps).sqrt();
            (factor, (bias - norm.mean[channel]) * factor + norm.shift[channel])
        })
    }

    /// The [`affine`](Post::affine) parts of consecutive channels, `N` at most; one and nothing for those that are left.
    #[inline(always)]
    pub(crate) fn affines<const N: usize>(&self, channels: Range<usize>) -> ([f32; N], [f32; N]) {
        let (mut factors, mut offsets) = ([1.0; N], [0.0; N]);
        for (at, channel) in channels.enumerate() {
            (factors[at], offsets[at]) = self.affine(channel);
        }
        (factors, offsets)
    }

    /// Finishes consecutive outputs of one channel, which hold its products, the first of them at `first` in the whole
    /// output.
    #[inline(always)]
    pub(crate) fn finish_channel(&self, channel: usize, first: usize, outputs: &mut [f32]) {
        let (factor, offset) = self.affine(channel);
        match self.residual {
            Some(residual) => {
                for (y, r) in outputs.iter_mut().zip(&residual[first..]) {
                    *y = self.clamped(*y * factor + offset + r);
                }
            }
            None => outputs.iter_mut().for_each(|y| *y = self.clamped(*y * factor + offset)),
        }
    }

    #[inline(always)]
    fn clamped(&self, value: f32) -> f32 {
        clamp(value, self.clamp.0, self.clamp.1)
    }

    /// The least and the greatest output.
    pub(crate) fn clamp(&self) -> (f32, f32) {
        self.clamp
    }
}
