//! One sample, a block of positions after the other: each of its rows is read once, and written once.

use std::ops::Range;

use super::power::{Beta, Power, ThreeQuarters};
use super::window::{BLOCK, Reach, Window};
use crate::desc::{Lrn, Write};
use crate::kernel::pieces::put;
use crate::kernel::scratch::{self, Use};
use crate::simd::{Kernel, Simd};

/// The blocks of a plane, about equally wide, so that none is a short rest.
#[inline(always)]
fn blocks(d: &Lrn) -> impl Iterator<Item = Range<usize>> {
    let plane = d.map.plane();
    let count = plane.div_ceil(BLOCK);
    (0..count).map(move |i| plane * i / count..plane * (i + 1) / count)
}

/// The forward pass; `scale` is kept unless it is empty.
pub(super) struct Forward<'a> {
    pub(super) d: &'a Lrn,
    pub(super) input: &'a [f32],
    pub(super) output: &'a mut [f32],
    pub(super) scale: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        if ThreeQuarters::is_that_of(self.d) {
            self.with(simd, ThreeQuarters);
        } else {
            self.with(simd, Beta(self.d.beta));
        }
    }
}

impl Forward<'_> {
    #[inline(always)]
    fn with<S: Simd>(&mut self, simd: S, power: impl Power) {
        match (self.d.map.is_blocked(), self.scale.is_empty()) {
            (true, true) => self.blocks::<S, false>(simd, power),
            (true, false) => self.blocks::<S, true>(simd, power),
            (false, true) => self.channels::<false>(power),
            (false, false) => self.channels::<true>(power),
        }
    }

    #[inline(always)]
    fn channels<const KEEP: bool>(&mut self, power: impl Power) {
        let (d, plane) = (self.d, self.d.map.plane());
        let mut rows = scratch::lend(Use::Task, Window::len(d));
        for block in blocks(d) {
            let mut squares = Window::new(d, Reach::of(d), block.len(), &mut rows);
            let span = |c: usize| c * plane + block.start..c * plane + block.end;
            let mut next = 0;
            for c in 0..d.map.c {
                while next < squares.end(c) {
                    squares.of_mut(next).iter_mut().zip(&self.input[span(next)]).for_each(|(s, &x)| *s = x * x);
                    next += 1;
                }
                let scale = if KEEP { &mut self.scale[span(c)] } else { &mut [][..] };
                let line = Line { k: d.k, alpha: d.alpha / d.size as f32, squares: squares.sums(c) };
                line.normalise::<KEEP>(power, &self.input[span(c)], &mut self.output[span(c)], scale);
            }
        }
    }
}

/// A channel's sums of squares over its windows.
pub(super) struct Line<'a> {
    pub(super) k: f32,
    pub(super) alpha: f32,
    pub(super) squares: &'a [f32],
}

impl Line<'_> {
    /// `output = input * scale^-beta`.
    #[inline(always)]
    pub(super) fn normalise<const KEEP: bool>(
        self,
        power: impl Power,
        input: &[f32],
        output: &mut [f32],
        scale: &mut [f32],
    ) {
        let (len, Line { k, alpha, squares }) = (input.len(), self);
        let squares = &squares[..len];
        let (output, scale) = (&mut output[..len], if KEEP { &mut scale[..len] } else { scale });
        for i in 0..len {
            let s = k + alpha * squares[i];
            if KEEP {
                scale[i] = s;
            }
            output[i] = input[i] * power.of(s)[0];
        }
    }
}

/// The backward pass.
pub(super) struct Backward<'a> {
    pub(super) d: &'a Lrn,
    pub(super) input: &'a [f32],
    pub(super) scale: &'a [f32],
    pub(super) d_output: &'a [f32],
    pub(super) d_input: &'a mut [f32],
    pub(super) write: Write,
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        if ThreeQuarters::is_that_of(self.d) {
            self.with(simd, ThreeQuarters);
        } else {
            self.with(simd, Beta(self.d.beta));
        }
    }
}

impl Backward<'_> {
    #[inline(always)]
    fn with<S: Simd>(&mut self, simd: S, power: impl Power) {
        match (self.d.map.is_blocked(), self.write) {
            (true, Write::Set) => self.blocks::<S, false>(simd, power),
            (true, Write::Add) => self.blocks::<S, true>(simd, power),
            (false, Write::Set) => self.channels::<false>(power),
            (false, Write::Add) => self.channels::<true>(power),
        }
    }

    #[inline(always)]
    fn channels<const ADD: bool>(&mut self, power: impl Power) {
        let (d, plane) = (self.d, self.d.map.plane());
        let factor = 2.0 * d.alpha / d.size as f32 * d.beta;
        let mut rows = scratch::lend(Use::Task, 2 * Window::len(d));
        let (terms, own) = rows.split_at_mut(Window::len(d));
        for block in blocks(d) {
            let reach = Reach::of(d).back();
            let [mut terms, mut own] = [&mut *terms, &mut *own].map(|rows| Window::new(d, reach, block.len(), rows));
            let span = |c: usize| c * plane + block.start..c * plane + block.end;
            let mut next = 0;
            for c in 0..d.map.c {
                while next < terms.end(c) {
                    let of = [self.input, self.scale, self.d_output].map(|x| &x[span(next)]);
                    shares(power, of, own.of_mut(next), terms.of_mut(next));
                    next += 1;
                }
                let (input, d_input) = (&self.input[span(c)], &mut self.d_input[span(c)]);
                finish::<ADD>(factor, input, own.of(c), terms.sums(c), d_input);
            }
        }
    }
}

/// Of each gradient the share of the input itself, `d_output * scale^-beta`, and the term that its window's channels
/// take a part of.
#[inline(always)]
pub(super) fn shares(power: impl Power, of: [&[f32]; 3], own: &mut [f32], terms: &mut [f32]) {
    let len = own.len();
    let ([input, scale, d_output], terms) = (of.map(|row| &row[..len]), &mut terms[..len]);
    for i in 0..len {
        let [share, less_one] = power.of(scale[i]);
        own[i] = d_output[i] * share;
        terms[i] = d_output[i] * input[i] * less_one;
    }
}

/// The gradients of a channel from the sums of terms of the windows that hold it.
#[inline(always)]
pub(super) fn finish<const ADD: bool>(factor: f32, input: &[f32], own: &[f32], terms: &[f32], d_input: &mut [f32]) {
    let len = d_input.len();
    let (input, own, terms) = (&input[..len], &own[..len], &terms[..len]);
    for i in 0..len {
        put::<ADD>(&mut d_input[i], own[i] - factor * input[i] * terms[i]);
    }
}
