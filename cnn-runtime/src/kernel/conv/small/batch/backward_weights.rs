//! The gradient by the weights over groups of samples: a vector of samples for each weight of a tile, the lanes added up
//! once a range of groups is through.

use std::ops::Range;

use super::super::backward_weights::{Pass, add_lanes};
use super::super::stage::Taps;
use super::super::tile::Reach;
use super::stage::{GROUP, Stage};
use crate::desc::{Conv, Map, Order};
use crate::dispatch::Isa;
use crate::kernel::blocks::Blocks;
use crate::kernel::conv::{backward_weights as all_weights, backward_weights_on, pass};
use crate::kernel::parallel::{self, Shared, part};
use crate::kernel::scratch;
use crate::simd::{Kernel, Simd};

/// Ranges of groups that are summed up by themselves, at most.
const CHUNKS: usize = 4;

/// Gradients of a channel that are read at a time, roughly.
const CACHED: usize = 1800;

/// See [`super::super::super::backward_weights`]; the lengths are checked, the convolution is as for [`super::forward`].
pub(in super::super::super) fn backward_weights(
    pass: pass::BackwardWeights<'_>,
    d_weight: &mut [f32],
    mut d_bias: Option<&mut [f32]>,
) {
    let pass::BackwardWeights { isa, d, n, input, d_output } = pass;
    let grouped = Order::grouped(n);
    let (input, last_input) = input.split_at(grouped * d.input.len());
    let (d_output, last_d_output) = d_output.split_at(grouped * d.output.len());
    // The samples behind the groups, or zero.
    let last =
        pass::BackwardWeights { d: &d.plain(), n: n - grouped, input: last_input, d_output: last_d_output, ..pass };
    backward_weights_on(last, d_weight, d_bias.as_deref_mut());
    if grouped == 0 {
        return;
    }
    if let Some(d_bias) = d_bias {
        add_bias(isa, &d.output, grouped, d_output, d_bias);
    }
    let groups = grouped / GROUP;
    let chunks = groups.min(CHUNKS);
    let (taps, len) = (Taps::of(d), d.weight_len());
    let mut sums = scratch::lend(scratch::Use::Pass, chunks * len);
    let shared = Shared::new(&mut sums);
    parallel::for_each(chunks, grouped * d.output.plane() * len, |chunk| {
        // SAFETY: each task has a set of weights of its own.
        let sums = unsafe { shared.part(chunk * len..(chunk + 1) * len) };
        isa.run(Task { d, taps: &taps, input, d_output, groups: part(groups, chunks, 1, chunk), sums });
    });
    Blocks::of(d.output.c).for_each(taps.len(), |plain, blocked| {
        d_weight[blocked] += (0..chunks).map(|chunk| sums[chunk * len + plain]).sum::<f32>();
    });
}

/// Adds the gradient by the bias over whole groups.
fn add_bias(isa: Isa, outputs: &Map, n: usize, d_output: &[f32], d_bias: &mut [f32]) {
    let Map { c, h, w, .. } = *outputs;
    let mut sums = scratch::lend(scratch::Use::Pass, c);
    if outputs.is_batched() {
        // A channel of a group is one stretch, as a plane of a sample is.
        all_weights::bias(isa, Map::new(c, h, w * GROUP), n / GROUP, d_output, &mut sums);
    } else {
        all_weights::bias(isa, *outputs, n, d_output, &mut sums);
    }
    d_bias.iter_mut().zip(sums.iter()).for_each(|(d_bias, sum)| *d_bias += sum);
}

/// The gradient by all weights, over some groups.
struct Task<'a> {
    d: &'a Conv,
    taps: &'a Taps,
    input: &'a [f32],
    d_output: &'a [f32],
    groups: Range<usize>,
    /// `[row][tap]`.
    sums: &'a mut [f32],
}

impl Kernel for Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Task { d, taps, input, d_output, groups, sums } = self;
        let Taps { kernel, dilation, origin, .. } = *taps;
        // Here rows in the padding are read.
        let bottom = origin[0] + (d.output.h + (kernel[0] - 1) * dilation[0]) as isize;
        let inputs = Stage::of(d.input, taps, origin[0]..bottom);
        let outputs = Stage::whole(d.output);
        let mut buffer = scratch::lend(scratch::Use::Task, inputs.len() + outputs.len() + sums.len() * S::LANES);
        let (staged, rest) = buffer.split_at_mut(inputs.len());
        let (gradients, lanes) = rest.split_at_mut(outputs.len());
        // The gradients of a few channels stay in the first-level cache for all taps.
        let parts = (d.output.plane() * GROUP).div_ceil(CACHED).min(d.output.h);
        for group in groups.clone() {
            let samples = group * GROUP..(group + 1) * GROUP;
            let of = |map: &Map| samples.start * map.len()..samples.end * map.len();
            let from = inputs.fill(simd, &input[of(&d.input)], staged);
            let by = outputs.fill(simd, &d_output[of(&d.output)], gradients);
            let input = [from.channel, dilation[0] * from.row, dilation[1] * GROUP];
            for index in 0..parts {
                let lines = part(d.output.h, parts, 1, index);
                let pass = Pass {
                    reach: Reach { channels: taps.map.c, kernel, input, weight: [0; 3] },
                    staged: from.first.wrapping_add(lines.start * from.row),
                    d_output: by.first.wrapping_add(lines.start * by.row),
                    plane: by.channel,
                    lines: lines.len(),
                    staged_step: from.row,
                    d_output_step: by.row,
                    line: d.output.w * GROUP,
                    start: group == groups.start && index == 0,
                };
                // SAFETY: the stages hold all rows that taps read, those in the padding too, and all gradients of the group.
                unsafe { pass.run(simd, d.output.c, lanes) };
            }
        }
        add_lanes(simd, lanes, sums);
    }
}
