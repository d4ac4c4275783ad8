//! Average pooling. Every window is divided by the number of its taps on the input and on the padding that counts: most
//! often all, as in PyTorch (`count_include_pad`).

mod blocked;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use std::iter::once;
use std::ops::Range;

use self::blocked::{Block, Spread};
use super::axis::{Axis, NARROW};
use super::order::{pool_groups, pool_groups_backward, read_block, write_block};
use super::pieces::{each, part, put};
use super::sixteen::{vectors, vectors_mut};
use super::sums::sum;
use super::wide::wide;
use crate::desc::{Pool, Write};
use crate::dispatch::Isa;

/// The mean of each window.
///
/// # Panics
/// If the lengths do not fit `d` and `n`.
pub fn forward(d: &Pool, n: usize, input: &[f32], output: &mut [f32]) {
    forward_on(Isa::active(), d, n, input, output);
}

/// Spreads the gradient of each output evenly over its window.
///
/// # Panics
/// If the lengths do not fit `d` and `n`.
pub fn backward(d: &Pool, n: usize, d_output: &[f32], d_input: &mut [f32], write: Write) {
    backward_on(Isa::active(), d, n, d_output, d_input, write);
}

fn forward_on(isa: Isa, d: &Pool, n: usize, input: &[f32], output: &mut [f32]) {
    d.check_sides("avg_pool", n, input.len(), output.len());
    if d.input.is_batched() {
        return pool_groups(d, n, input, output, &mut [], |d, n, input, output, _| {
            forward_on(isa, d, n, input, output)
        });
    }
    let walk = Walk::new(d);
    if d.input.is_blocked() {
        let (inputs, outputs) = d.block_lens();
        return each(output, outputs, input.len(), |i, output| {
            let input = vectors(part(input, i, inputs));
            write_block(&d.output, output, |output| isa.run(Block { walk: &walk, input, output }));
        });
    }
    each(output, d.output.plane(), input.len(), |i, output| {
        let input = part(input, i, d.input.plane());
        wide(
            #[inline(always)]
            || walk.plane(input, output),
        );
    });
}

fn backward_on(isa: Isa, d: &Pool, n: usize, d_output: &[f32], d_input: &mut [f32], write: Write) {
    d.check_sides("avg_pool", n, d_input.len(), d_output.len());
    if d.input.is_batched() {
        return pool_groups_backward(d, n, &[], d_output, d_input, |d, n, _, d_output, d_input| {
            backward_on(isa, d, n, d_output, d_input, write);
        });
    }
    let walk = Walk::new(d);
    if d.input.is_blocked() {
        let (inputs, outputs) = d.block_lens();
        return each(d_input, inputs, n * d.input.len(), |i, d_input| {
            let d_input = vectors_mut(d_input);
            read_block(&d.output, part(d_output, i, outputs), |d_output| {
                isa.run(Spread { walk: &walk, d_output, d_input, write });
            });
        });
    }
    each(d_input, d.input.plane(), n * d.input.len(), |i, d_input| {
        let d_output = part(d_output, i, d.output.plane());
        wide(
            #[inline(always)]
            || match write {
                Write::Set => walk.spread::<false>(d_output, d_input),
                Write::Add => walk.spread::<true>(d_output, d_input),
            },
        );
    });
}

/// How the windows walk over a plane.
struct Walk {
    rows: Axis,
    columns: Axis,
    /// The same over the input and the padding that counts, unless that is all of it.
    counted: Option<[Axis; 2]>,
    /// What sums are multiplied by as they are written: one over the kernel's size, or 1 where means are made later.
    weight: f32,
}

impl Walk {
    fn new(d: &Pool) -> Self {
        let axes = Axis::both(&d.window, d.input, d.output);
        let counted = [0, 1].map(|i| {
            let (before, behind) = (d.counted[i], d.counted[i + 2]);
            Axis { pad: axes[i].pad - before, inputs: before + axes[i].inputs + behind, ..axes[i] }
        });
        let [rows, columns] = axes;
        if d.counted == d.window.pad {
            return Walk { rows, columns, counted: None, weight: 1.0 / (rows.kernel * columns.kernel) as f32 };
        }
        Walk { rows, columns, counted: Some(counted), weight: 1.0 }
    }

    /// Whether the only window is the whole plane.
    fn is_global(&self) -> bool {
        let whole = |a: &Axis| a.kernel == a.inputs && a.outputs == 1 && a.pad == 0 && a.dilation == 1;
        whole(&self.rows) && whole(&self.columns)
    }

    /// Input row under tap `kh` of output row `oh`.
    #[inline(always)]
    fn row<'a>(&self, input: &'a [f32], oh: usize, kh: usize) -> &'a [f32] {
        &input[self.rows.at(oh, kh) * self.columns.inputs..][..self.columns.inputs]
    }

    /// Pools one plane.
    #[inline(always)]
    fn plane(&self, input: &[f32], output: &mut [f32]) {
        if self.is_global() {
            output[0] = sum(input, |x| x) * self.weight;
            return;
        }
        let shape = |a: &Axis| (a.kernel, a.stride, a.dilation);
        for (oh, out) in output.chunks_exact_mut(self.columns.outputs).enumerate() {
            match (shape(&self.rows), shape(&self.columns)) {
                ((2, _, 1), (2, 2, 1)) => self.common_row::<2, 2>(oh, input, out),
                ((3, _, 1), (3, 2, 1)) => self.common_row::<3, 2>(oh, input, out),
                ((3, _, 1), (3, 1, 1)) => self.common_row::<3, 1>(oh, input, out),
                _ if self.columns.outputs < NARROW => self.windows(oh, 0, input, out),
                _ => self.taps_row(oh, input, out),
            }
            if let Some(counted) = &self.counted {
                for (span, weight) in weights(counted, oh) {
                    out[span].iter_mut().for_each(|o| *o *= weight);
                }
            }
        }
    }

    /// One row of outputs of a KxK kernel that steps by `S` columns: the inside as vectors, the edges one by one.
    #[inline(always)]
    fn common_row<const K: usize, const S: usize>(&self, oh: usize, input: &[f32], out: &mut [f32]) {
        let inner = if self.rows.taps(oh) == (0..K) { self.columns.inner() } else { 0..0 };
        self.windows(oh, 0, input, &mut out[..inner.start]);
        if !inner.is_empty() {
            let left = self.columns.at(inner.start, 0);
            let rows: [&[[f32; S]]; K] = std::array::from_fn(|kh| self.row(input, oh, kh)[left..].as_chunks().0);
            inside(rows, self.weight, &mut out[inner.clone()]);
        }
        self.windows(oh, inner.end, input, &mut out[inner.end..]);
    }

    /// Outputs `first_ow..` of a row, a window at a time.
    #[inline(always)]
    fn windows(&self, oh: usize, first_ow: usize, input: &[f32], out: &mut [f32]) {
        for (ow, out) in (first_ow..).zip(out) {
            let mut sum = 0.0;
            for kh in self.rows.taps(oh) {
                let row = self.row(input, oh, kh);
                for kw in self.columns.taps(ow) {
                    sum += row[self.columns.at(ow, kw)];
                }
            }
            *out = sum * self.weight;
        }
    }

    /// One row of outputs, a pass per tap.
    #[inline(always)]
    fn taps_row(&self, oh: usize, input: &[f32], out: &mut [f32]) {
        out.fill(0.0);
        for kh in self.rows.taps(oh) {
            let row = self.row(input, oh, kh);
            for kw in 0..self.columns.kernel {
                let span = self.columns.outputs_of(kw);
                if span.is_empty() {
                    continue;
                }
                let row = &row[self.columns.at(span.start, kw)..];
                let out = &mut out[span];
                match self.columns.stride {
                    1 => out.iter_mut().zip(row).for_each(|(o, x)| *o += x),
                    stride => out.iter_mut().zip(row.iter().step_by(stride)).for_each(|(o, x)| *o += x),
                }
            }
        }
        out.iter_mut().for_each(|o| *o *= self.weight);
    }

    /// The backward pass over one plane.
    #[inline(always)]
    fn spread<const ADD: bool>(&self, d_output: &[f32], d_input: &mut [f32]) {
        if self.is_global() {
            let share = d_output[0] * self.weight;
            d_input.iter_mut().for_each(|d| put::<ADD>(d, share));
            return;
        }
        if !ADD {
            d_input.fill(0.0);
        }
        for (oh, d_output) in d_output.chunks_exact(self.columns.outputs).enumerate() {
            for kh in self.rows.taps(oh) {
                let row = &mut d_input[self.rows.at(oh, kh) * self.columns.inputs..][..self.columns.inputs];
                match &self.counted {
                    None if self.is_in_pairs() => self.spread_pairs(d_output, row),
                    None => self.spread_row(0..d_output.len(), self.weight, d_output, row),
                    Some(counted) => {
                        for (span, weight) in weights(counted, oh) {
                            self.spread_row(span, weight, d_output, row);
                        }
                    }
                }
            }
        }
    }

    /// Whether windows are pairs of columns.
    #[inline(always)]
    fn is_in_pairs(&self) -> bool {
        let Axis { kernel, stride, dilation, pad, .. } = self.columns;
        (kernel, stride, dilation, pad) == (2, 2, 1, 0)
    }

    /// As [`spread_row`](Walk::spread_row) for all outputs of a row, whose windows are pairs of columns.
    #[inline(always)]
    fn spread_pairs(&self, d_output: &[f32], row: &mut [f32]) {
        let columns = &self.columns;
        for (pair, d) in row.as_chunks_mut::<2>().0.iter_mut().zip(d_output) {
            let share = d * self.weight;
            pair[0] += share;
            pair[1] += share;
        }
        // An output that reaches into the padding on the right.
        if columns.inputs % 2 == 1 && columns.outputs > columns.inputs / 2 {
            row[columns.inputs - 1] += d_output[columns.outputs - 1] * self.weight;
        }
    }

    /// Adds the shares of some outputs of a row to one row of inputs.
    #[inline(always)]
    fn spread_row(&self, outputs: Range<usize>, weight: f32, d_output: &[f32], row: &mut [f32]) {
        let columns = &self.columns;
        for kw in 0..columns.kernel {
            let span = columns.outputs_of(kw);
            let span = span.start.max(outputs.start)..span.end.min(outputs.end);
            if span.is_empty() {
                continue;
            }
            let row = &mut row[columns.at(span.start, kw)..];
            let d_output = &d_output[span];
            match columns.stride {
                1 => row.iter_mut().zip(d_output).for_each(|(x, d)| *x += d * weight),
                stride => row.iter_mut().step_by(stride).zip(d_output).for_each(|(x, d)| *x += d * weight),
            }
        }
    }
}

/// Stretches of a row of outputs, and one over the taps that count in each of their windows.
#[inline(always)]
fn weights([rows, columns]: &[Axis; 2], oh: usize) -> impl Iterator<Item = (Range<usize>, f32)> {
    let (taps, inside) = (rows.taps(oh).len(), columns.whole());
    let weight = move |columns: usize| 1.0 / (taps * columns).max(1) as f32;
    let edges = (0..inside.start).chain(inside.end..columns.outputs);
    let edges = edges.map(move |ow| (ow..ow + 1, weight(columns.taps(ow).len())));
    edges.chain(once((inside, weight(columns.kernel))))
}

/// KxK windows at every `S`-th column of `rows`, which hold groups of `S` columns.
///
/// Outputs are made [`NARROW`] at a time, or half of that; the last ones again with those before, not one by one.
#[inline(always)]
fn inside<const K: usize, const S: usize>(rows: [&[[f32; S]]; K], weight: f32, out: &mut [f32]) {
    let m = out.len();
    if m >= NARROW {
        blocks::<K, S, NARROW>(rows, weight, out);
    } else if m >= NARROW / 2 {
        blocks::<K, S, { NARROW / 2 }>(rows, weight, out);
    } else {
        blocks::<K, S, 1>(rows, weight, out);
    }
}

/// As [`inside`], `N` outputs at a time; there are at least as many.
#[inline(always)]
fn blocks<const K: usize, const S: usize, const N: usize>(rows: [&[[f32; S]]; K], weight: f32, out: &mut [f32]) {
    let m = out.len();
    for start in (0..m).step_by(N) {
        let start = start.min(m - N);
        let mut sums = [0.0; N];
        for row in &rows {
            let row = &row[start..start + N + (K - 1) / S];
            for kw in 0..K {
                for (i, sum) in sums.iter_mut().enumerate() {
                    *sum += row[i + kw / S][kw % S];
                }
            }
        }
        for (out, sum) in out[start..start + N].iter_mut().zip(sums) {
            *out = sum * weight;
        }
    }
}
