//! Local response normalisation across channels (Krizhevsky et al. 2012, section 3.3), as in PyTorch: the window of a
//! channel reaches `size / 2` channels before and `(size - 1) / 2` after it, and `alpha` is divided by `size`.

pub mod reference;
#[cfg(test)]
mod tests;

use std::ops::Range;

use super::pieces::{each, each2, part, put};
use super::wide::wide;
use crate::desc::{Lrn, Write};

/// Positions of a map that are worked on together; their sums stand on the stack.
const BLOCK: usize = 128;

/// The largest window whose terms the backward pass keeps on the stack.
const RING: usize = 16;

/// Evaluates the body with `$power` as the function `scale^-beta`, outside of its loops: a call of `powf` inside would
/// keep them from being vectorised.
macro_rules! with_power {
    ($d:expr, |$power:ident| $body:expr) => {
        if $d.beta == 0.75 {
            let $power = |scale: f32| {
                let root = scale.sqrt();
                1.0 / (root * root.sqrt())
            };
            $body
        } else {
            let beta = $d.beta;
            let $power = |scale: f32| scale.powf(-beta);
            $body
        }
    };
}

/// `output = input * scale^-beta` with `scale = k + alpha / size * sum of squares`.
///
/// # Panics
/// If the lengths do not fit `d` and `n`.
pub fn forward(d: &Lrn, n: usize, input: &[f32], output: &mut [f32]) {
    check(d, n, [input.len(), output.len(), input.len(), input.len()]);
    each(output, d.map.len(), input.len(), |n, output| {
        let input = part(input, n, d.map.len());
        wide(
            #[inline(always)]
            || {
                for (c, span) in blocks(d) {
                    let mut scale = [0.0; BLOCK];
                    let scale = &mut scale[..span.len()];
                    scales(d, c, span.clone(), input, scale);
                    with_power!(d, |power| normalise(power, &input[span.clone()], scale, &mut output[span]));
                }
            },
        );
    });
}

/// As [`forward`], and keeps each element's scale for the backward pass.
///
/// # Panics
/// If the lengths do not fit `d` and `n`.
pub fn forward_train(d: &Lrn, n: usize, input: &[f32], output: &mut [f32], scale: &mut [f32]) {
    check(d, n, [input.len(), output.len(), scale.len(), input.len()]);
    let len = d.map.len();
    each2((output, len), (scale, len), input.len(), |n, output, scale| {
        let input = part(input, n, len);
        wide(
            #[inline(always)]
            || {
                for (c, span) in blocks(d) {
                    let scale = &mut scale[span.clone()];
                    scales(d, c, span.clone(), input, scale);
                    with_power!(d, |power| normalise(power, &input[span.clone()], scale, &mut output[span]));
                }
            },
        );
    });
}

/// The gradient by the input:
/// `d_input[j] = d_output[j] * scale[j]^-beta - 2 * alpha / size * beta * input[j] * sum of terms`, where the terms
/// `d_output[i] * input[i] * scale[i]^(-beta - 1)` are those of the channels `i` whose windows hold `j`.
///
/// # Panics
/// If the lengths do not fit `d` and `n`.
pub fn backward(d: &Lrn, n: usize, input: &[f32], scale: &[f32], d_output: &[f32], d_input: &mut [f32], write: Write) {
    check(d, n, [input.len(), scale.len(), d_output.len(), d_input.len()]);
    let len = d.map.len();
    each(d_input, len, input.len(), |n, d_input| {
        let sample =
            Sample { d, input: part(input, n, len), scale: part(scale, n, len), d_output: part(d_output, n, len) };
        wide(
            #[inline(always)]
            || match write {
                Write::Set => with_power!(d, |power| sample.backward::<false>(power, d_input)),
                Write::Add => with_power!(d, |power| sample.backward::<true>(power, d_input)),
            },
        );
    });
}

/// Checks lengths against `n` samples.
fn check(d: &Lrn, n: usize, lengths: [usize; 4]) {
    assert_eq!(lengths, [n * d.map.len(); 4], "lrn: values of {n} samples");
}

/// The blocks of a sample: a channel, and a range of elements of that channel.
#[inline(always)]
fn blocks(d: &Lrn) -> impl Iterator<Item = (usize, Range<usize>)> {
    let plane = d.map.plane();
    let starts = (0..plane).step_by(BLOCK);
    (0..d.map.c).flat_map(move |c| starts.clone().map(move |s| (c, c * plane + s..c * plane + plane.min(s + BLOCK))))
}

/// The scales of a block of channel `c`.
#[inline(always)]
fn scales(d: &Lrn, c: usize, span: Range<usize>, input: &[f32], scale: &mut [f32]) {
    let (plane, len) = (d.map.plane(), scale.len());
    let position = span.start - c * plane;
    scale.fill(0.0);
    for j in c.saturating_sub(d.size / 2)..d.map.c.min(c + d.size.div_ceil(2)) {
        for (s, &x) in scale.iter_mut().zip(&input[j * plane + position..][..len]) {
            *s += x * x;
        }
    }
    let alpha = d.alpha / d.size as f32;
    scale.iter_mut().for_each(|s| *s = d.k + alpha * *s);
}

/// `output = input * scale^-beta`.
#[inline(always)]
fn normalise(power: impl Fn(f32) -> f32, input: &[f32], scale: &[f32], output: &mut [f32]) {
    for (y, (&x, &s)) in output.iter_mut().zip(input.iter().zip(scale)) {
        *y = x * power(s);
    }
}

/// One sample of the backward pass.
struct Sample<'a> {
    d: &'a Lrn,
    input: &'a [f32],
    scale: &'a [f32],
    d_output: &'a [f32],
}

impl Sample<'_> {
    #[inline(always)]
    fn backward<const ADD: bool>(&self, power: impl Fn(f32) -> f32 + Copy, d_input: &mut [f32]) {
        let plane = self.d.map.plane();
        for start in (0..plane).step_by(BLOCK) {
            let width = BLOCK.min(plane - start);
            if self.d.size <= RING {
                self.with_ring::<ADD>(power, start, width, d_input);
            } else {
                self.without_ring::<ADD>(power, start, width, d_input);
            }
        }
    }

    /// The channels whose windows hold channel `j`.
    #[inline(always)]
    fn readers(&self, j: usize) -> Range<usize> {
        j.saturating_sub((self.d.size - 1) / 2)..self.d.map.c.min(j + self.d.size / 2 + 1)
    }

    /// One block of positions of all channels, each term computed once.
    #[inline(always)]
    fn with_ring<const ADD: bool>(
        &self,
        power: impl Fn(f32) -> f32 + Copy,
        start: usize,
        width: usize,
        d_input: &mut [f32],
    ) {
        let mut ring = [[0.0; BLOCK]; RING];
        let mut next = 0;
        for j in 0..self.d.map.c {
            let readers = self.readers(j);
            while next < readers.end {
                self.terms(power, next, start, &mut ring[next % RING][..width]);
                next += 1;
            }
            let mut sum = [0.0; BLOCK];
            for i in readers {
                for (s, t) in sum[..width].iter_mut().zip(&ring[i % RING]) {
                    *s += t;
                }
            }
            self.finish::<ADD>(power, j, start, &sum[..width], d_input);
        }
    }

    /// As [`with_ring`](Self::with_ring) for windows of any size, terms computed for each reader.
    #[inline(always)]
    fn without_ring<const ADD: bool>(
        &self,
        power: impl Fn(f32) -> f32 + Copy,
        start: usize,
        width: usize,
        d_input: &mut [f32],
    ) {
        for j in 0..self.d.map.c {
            let mut sum = [0.0; BLOCK];
            for i in self.readers(j) {
                let mut terms = [0.0; BLOCK];
                self.terms(power, i, start, &mut terms[..width]);
                for (s, t) in sum[..width].iter_mut().zip(&terms) {
                    *s += t;
                }
            }
            self.finish::<ADD>(power, j, start, &sum[..width], d_input);
        }
    }

    /// The block's terms of channel `c`.
    #[inline(always)]
    fn terms(&self, power: impl Fn(f32) -> f32, c: usize, start: usize, terms: &mut [f32]) {
        let first = c * self.d.map.plane() + start;
        let (input, scale) = (&self.input[first..], &self.scale[first..]);
        for (t, ((&x, &s), &dy)) in terms.iter_mut().zip(input.iter().zip(scale).zip(&self.d_output[first..])) {
            *t = dy * x * power(s) / s;
        }
    }

    /// The block's gradients of channel `c` from its sums of terms.
    #[inline(always)]
    fn finish<const ADD: bool>(
        &self,
        power: impl Fn(f32) -> f32,
        c: usize,
        start: usize,
        sum: &[f32],
        d_input: &mut [f32],
    ) {
        let first = c * self.d.map.plane() + start;
        let factor = 2.0 * self.d.alpha / self.d.size as f32 * self.d.beta;
        let saved = self.input[first..].iter().zip(&self.scale[first..]).zip(&self.d_output[first..]);
        for ((dx, &sum), ((&x, &s), &dy)) in d_input[first..].iter_mut().zip(sum).zip(saved) {
            put::<ADD>(dx, dy * power(s) - factor * x * sum);
        }
    }
}
