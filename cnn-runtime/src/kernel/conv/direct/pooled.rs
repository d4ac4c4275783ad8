//! Convolutions whose largest outputs alone are written, a band of lines after the other, or on a matrix unit a block of channels:
//! what a pool reads never leaves the cache.

use std::ops::Range;

use super::{Direct, beats_bands};
use crate::desc::{Map, Order, Pool, Write};
use crate::kernel::conv::im2col::Im2col;
use crate::kernel::conv::pass;
use crate::kernel::conv::whole::Whole;
use crate::kernel::gemm::Gemm;
use crate::kernel::gemm::columns::Columns;
use crate::kernel::max_pool::Band;
use crate::kernel::parallel::{self, Shared, part};
use crate::kernel::scratch;
use crate::kernel::sixteen::vectors;
use crate::simd::{Kernel, Simd};

/// Floats of a band, roughly: a quarter of a second-level cache of two megabytes.
const BAND: usize = 1 << 17;

/// See [`super::super::forward_pooled`]; the lengths are checked. A convolution without groups that writes blocks. False if whole
/// maps are made faster, but are too large for a task.
pub(in super::super) fn pooled(pass: pass::Forward<'_>, pool: &Pool, output: &mut [f32]) -> bool {
    let pass::Forward { isa, d, n, .. } = pass;
    if beats_bands(isa, d, n) {
        return whole(pass, pool, output);
    }
    let macs = n * d.output.len() * d.taps();
    let parts = parallel::even(n, macs).div_ceil(n).min(pool.output.h);
    let shared = Shared::new(output);
    parallel::for_each(n * parts, macs, |index| {
        let lines = part(pool.output.h, parts, 1, index % parts);
        Lines { pass, pool, sample: index / parts, output: shared }.run(lines);
    });
    true
}

/// Has a matrix unit make whole maps, if they are not too large.
fn whole(pass: pass::Forward<'_>, pool: &Pool, output: &mut [f32]) -> bool {
    let pass::Forward { isa, d, n, input, .. } = pass;
    let (plane, whole) = (d.output.plane(), Whole::new(pool));
    let gemm = product(pass, n * plane, Shared::new(output), plane, Columns::maps(plane, whole.apart()));
    let direct = Direct::new(gemm, Im2col::of_input(d, 0, input), Order::BLOCK);
    // SAFETY: the output is the pool's, of these samples.
    unsafe { direct.run_whole(isa, &whole) }
}

/// The product of all output channels and some positions, whose sums go to maps in blocks that are `plane` positions apart.
fn product<'a>(
    pass: pass::Forward<'a>,
    positions: usize,
    maps: Shared,
    plane: usize,
    columns: Columns,
) -> Gemm<'a, ()> {
    let pass::Forward { d, weight, post, .. } = pass;
    Gemm {
        m: d.output.c,
        n: positions,
        k: d.taps(),
        a: weight,
        b: (),
        post,
        channel: 0,
        write: Write::Set,
        c: maps,
        first: 0,
        c_stride: plane,
        columns: columns.in_blocks(Order::BLOCK),
    }
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
        let maps_len = c / Order::BLOCK * block;
        let mut maps = scratch::lend(scratch::Use::Outer, maps_len + Band::aside(pool, together));
        let (maps, aside) = maps.split_at_mut(maps_len);
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
            isa.run(Pooled { lines: self, band: &band, maps, block, aside });
        }
    }

    /// Computes lines of the convolution's outputs, channels a distance apart.
    fn convolve(&self, lines: Range<usize>, maps: &mut [f32], plane: usize) {
        if lines.is_empty() {
            return;
        }
        let pass::Forward { isa, d, input, .. } = self.pass;
        let input = Im2col::of_input(d, 0, &input[self.sample * d.input.len()..][..d.input.len()]);
        let positions = lines.len() * d.output.w;
        let gemm = product(self.pass, positions, Shared::new(maps), plane, Columns::maps(positions, 0));
        let direct = Direct::new(gemm, input.of_lines(lines), Order::BLOCK);
        // SAFETY: rows are the channels, columns the positions of these lines: all inside the maps, once each.
        unsafe { direct.run_alone(pass::isa_of(d, isa)) };
    }
}

/// Takes the largest outputs of a band.
struct Pooled<'a> {
    lines: &'a Lines<'a>,
    band: &'a Band,
    maps: &'a [f32],
    /// Floats from one block of channels in them to the next.
    block: usize,
    /// As [`Band::put`] wants it.
    aside: &'a mut [f32],
}

impl Kernel for Pooled<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Pooled { lines: &Lines { pool, sample, output, .. }, band, maps, block, aside } = self;
        for (index, map) in maps.chunks_exact(block).enumerate() {
            // SAFETY: these lines of this sample are this task's alone.
            unsafe {
                let to = output.skip(sample * pool.output.len() + index * Order::BLOCK * pool.output.plane());
                band.put(simd, pool, vectors(map), to, aside);
            }
        }
    }
}
