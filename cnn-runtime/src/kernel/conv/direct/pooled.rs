//! Convolutions whose largest outputs alone are written, a band of lines after the other: what a pool reads never leaves the
//! cache.

use std::ops::Range;

use super::Direct;
use crate::desc::{Map, Order, Pool, Write};
use crate::kernel::conv::im2col::Im2col;
use crate::kernel::conv::pass;
use crate::kernel::gemm::Gemm;
use crate::kernel::gemm::columns::Columns;
use crate::kernel::max_pool::Band;
use crate::kernel::parallel::{self, Shared, part};
use crate::kernel::scratch;
use crate::kernel::sixteen::{vectors, vectors_mut};
use crate::simd::{Kernel, Simd};

/// Floats of a band, roughly: a quarter of a second-level cache of two megabytes.
const BAND: usize = 1 << 17;

/// See [`super::super::forward_pooled`]; the lengths are checked. A convolution without groups, both maps in blocks.
pub(in super::super) fn pooled(pass: pass::Forward<'_>, pool: &Pool, output: &mut [f32]) {
    let pass::Forward { d, n, .. } = pass;
    let macs = n * d.output.len() * d.taps();
    let parts = parallel::even(n, macs).div_ceil(n).min(pool.output.h);
    let shared = Shared::new(output);
    parallel::for_each(n * parts, macs, |index| {
        let lines = part(pool.output.h, parts, 1, index % parts);
        Lines { pass, pool, sample: index / parts, output: shared }.run(lines);
    });
}

/// The outputs of a sample.
struct Lines<'a> {
    pass: pass::Forward<'a>,
    pool: &'a Pool,
    sample: usize,
    output: Shared,
}

impl Lines<'_> {
    /// Computes some lines of the pool's outputs, which no other task writes.
    fn run(&self, lines: Range<usize>) {
        let Lines { pass: pass::Forward { isa, d, .. }, pool, .. } = *self;
        let Map { c, w, .. } = d.output;
        let stride = pool.window.stride[0];
        let together = (BAND / (c * w) / stride).clamp(1, lines.len());
        let most = Band::most(pool, together);
        let block = most * w * Order::BLOCK;
        let mut maps = scratch::lend(scratch::Use::Outer, c / Order::BLOCK * block);
        // The lines that stand in `maps`.
        let mut held = 0..0;
        for start in lines.clone().step_by(together) {
            let written = start..(start + together).min(lines.end);
            let band = Band::new(pool, written.clone());
            // What windows share with those before them is not computed again.
            let kept = band.inputs.start.max(held.start)..held.end.max(band.inputs.start);
            let (line, from) = (w * Order::BLOCK, kept.start - held.start);
            for map in maps.chunks_exact_mut(block).filter(|_| !kept.is_empty()) {
                map.copy_within(from * line..(from + kept.len()) * line, 0);
            }
            self.convolve(kept.end..band.inputs.end, &mut maps[kept.len() * line..], most * w);
            held = band.inputs.clone();
            isa.run(Pooled { lines: self, band: &band, written, maps: &maps, block });
        }
    }

    /// Computes lines of the convolution's outputs, channels a distance apart.
    fn convolve(&self, lines: Range<usize>, maps: &mut [f32], plane: usize) {
        if lines.is_empty() {
            return;
        }
        let pass::Forward { isa, d, input, weight, post, .. } = self.pass;
        let input = Im2col::of_input(d, 0, &input[self.sample * d.input.len()..][..d.input.len()]);
        let positions = lines.len() * d.output.w;
        let gemm = Gemm {
            m: d.output.c,
            n: positions,
            k: d.taps(),
            a: weight,
            b: (),
            post,
            channel: 0,
            write: Write::Set,
            c: Shared::new(maps),
            first: 0,
            c_stride: plane,
            columns: Columns::maps(positions, 0).in_blocks(Order::BLOCK),
        };
        let direct = Direct::new(gemm, input.of_lines(lines), Order::BLOCK);
        // SAFETY: rows are the channels, columns the positions of these lines: all inside the maps, once each.
        unsafe { direct.run_alone(pass::isa_of(d, isa)) };
    }
}

/// Takes the largest outputs of a band.
struct Pooled<'a> {
    lines: &'a Lines<'a>,
    band: &'a Band,
    /// The lines that are written.
    written: Range<usize>,
    maps: &'a [f32],
    /// Floats from one block of channels in them to the next.
    block: usize,
}

impl Kernel for Pooled<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Pooled { lines: &Lines { pool, sample, output, .. }, band, written, maps, block } = self;
        let line = pool.output.w * Order::BLOCK;
        for (index, map) in maps.chunks_exact(block).enumerate() {
            let first = sample * pool.output.len() + (index * pool.output.h + written.start) * line;
            // SAFETY: these lines of this sample are this task's alone.
            let output = unsafe { output.part(first..first + written.len() * line) };
            band.block(simd, vectors(map), vectors_mut(output));
        }
    }
}
