//! The input of some lines of outputs, with its padding: once for each horizontal tap, or once for all.
//!
//! `[channel][kw][row][x]`, each row as wide as the output: the inputs under one tap of consecutive outputs, from line to
//! line too, are then consecutive floats. Vectors of outputs run across the ends of lines, and no lane is lost to maps
//! that are narrower than a vector or wider by a few columns.
//!
//! `[channel][row][x]`, each row with its padding, as whole vectors: for lines that fill their vectors as it is.

use std::ops::Range;

use super::tile::Reach;
use crate::desc::{Conv, Map, Window};
use crate::kernel::scratch;
use crate::simd::Simd;

/// A convolution at stride 1 as its outputs see it, one group of one sample after another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taps {
    /// The maps read, and how many of them an output reads.
    pub map: Map,
    /// Taps in both directions.
    pub kernel: [usize; 2],
    /// Distance between taps.
    pub dilation: [usize; 2],
    /// Where the first tap of output zero stands: minus the padding.
    pub origin: [isize; 2],
    /// Lines and columns of outputs.
    pub grid: [usize; 2],
}

/// The staged rows of some lines of outputs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage {
    /// The first line.
    line: usize,
    /// Rows of one channel and horizontal tap.
    rows: usize,
}

impl Taps {
    /// The taps of a convolution's outputs.
    pub(super) fn of(d: &Conv) -> Self {
        let [top, left, ..] = d.window.pad;
        Taps {
            map: Map::new(d.input.c / d.groups, d.input.h, d.input.w),
            kernel: d.window.kernel,
            dilation: d.window.dilation,
            origin: [-(top as isize), -(left as isize)],
            grid: [d.output.h, d.output.w],
        }
    }

    /// The taps of the gradients by a convolution's inputs: the outputs that each went into, with as much padding as the
    /// kernel reaches.
    pub(super) fn back(d: &Conv) -> Self {
        let Window { kernel, dilation, pad, .. } = d.window;
        let origin = |axis: usize| pad[axis] as isize - ((kernel[axis] - 1) * dilation[axis]) as isize;
        Taps {
            map: Map::new(d.output.c / d.groups, d.output.h, d.output.w),
            kernel,
            dilation,
            origin: [origin(0), origin(1)],
            grid: [d.input.h, d.input.w],
        }
    }

    /// Taps of all channels.
    pub(super) fn len(&self) -> usize {
        self.map.c * self.kernel[0] * self.kernel[1]
    }

    /// How some lines are staged.
    pub(super) fn stage(&self, lines: &Range<usize>) -> Stage {
        Stage { line: lines.start, rows: lines.len() + (self.kernel[0] - 1) * self.dilation[0] }
    }

    /// Floats that staging so many lines needs, with what whole vectors write and read past them.
    pub(super) fn stage_len(&self, lines: usize, lanes: usize) -> usize {
        scratch::floats([self.map.c, self.kernel[1], self.stage(&(0..lines)).rows, self.grid[1]]) + lanes
    }

    /// Distance between staged channels.
    pub(super) fn channel(&self, stage: &Stage) -> usize {
        self.kernel[1] * self.across(stage)
    }

    /// Distance between horizontal taps.
    pub(super) fn across(&self, stage: &Stage) -> usize {
        stage.rows * self.grid[1]
    }

    /// Distance between vertical taps.
    pub(super) fn down(&self) -> usize {
        self.dilation[0] * self.grid[1]
    }

    /// The taps of an output whose weights are `step` floats apart.
    pub(super) fn reach(&self, stage: &Stage, step: usize) -> Reach {
        let (channels, kernel) = (self.map.c, self.kernel);
        let weight = [kernel[0] * kernel[1] * step, kernel[1] * step, step];
        Reach { channels, kernel, input: [self.channel(stage), self.down(), self.across(stage)], weight }
    }

    /// The rows of a stage that lie inside of the map, and the first of these in the map.
    fn inside(&self, stage: &Stage) -> (Range<usize>, usize) {
        let first = stage.line as isize + self.origin[0];
        let top = (-first).clamp(0, stage.rows as isize);
        let bottom = (self.map.h as isize - first).clamp(top, stage.rows as isize);
        (top as usize..bottom as usize, (first + top).max(0) as usize)
    }

    /// Copies the rows of all channels of `input`, with zeros for padding, under each horizontal tap.
    #[inline(always)]
    pub(super) fn fill<S: Simd>(&self, simd: S, stage: &Stage, input: &[f32], into: &mut [f32]) {
        for kw in 0..self.kernel[1] {
            let left = self.origin[1] + (kw * self.dilation[1]) as isize;
            let into = &mut into[kw * self.across(stage)..];
            self.copy(simd, stage, left, input, into, self.grid[1], self.channel(stage));
        }
    }

    /// Copies the rows of all channels of `input`, each with its padding.
    #[inline(always)]
    pub(super) fn pad<S: Simd>(&self, simd: S, stage: &Stage, input: &[f32], into: &mut [f32]) {
        let pitch = self.pitch(S::LANES);
        self.copy(simd, stage, self.origin[1], input, into, pitch, stage.rows * pitch);
    }

    /// Copies the rows of all channels of `input` to rows of `width` floats, whose first stands at column `left` of the map;
    /// channels are a distance apart.
    #[inline(always)]
    #[expect(clippy::too_many_arguments)] // both sides, and how they stand
    fn copy<S: Simd>(
        &self,
        simd: S,
        stage: &Stage,
        left: isize,
        input: &[f32],
        into: &mut [f32],
        width: usize,
        channel: usize,
    ) {
        let (rows, first) = self.inside(stage);
        let Map { c, h, w, .. } = self.map;
        assert!(
            input.len() >= self.map.len() && into.len() >= (c - 1) * channel + stage.rows * width,
            "room for the stage"
        );
        for start in (0..width).step_by(S::LANES) {
            let (column, lanes) = (left + start as isize, S::LANES.min(width - start));
            let from = (-column).clamp(0, lanes as isize);
            let to = (w as isize - column).clamp(from, lanes as isize);
            for c in 0..c {
                let mut source = input.as_ptr().wrapping_add((c * h + first) * w).wrapping_offset(column);
                let mut row = into.as_mut_ptr().wrapping_add(c * channel + rows.start * width + start);
                for _ in rows.clone() {
                    // SAFETY: the lanes `from..to` lie inside a row of the map, and all `lanes` in one of the stage.
                    unsafe { simd.store_part(row, simd.load_part(source, from as usize, to as usize), 0, lanes) };
                    source = source.wrapping_add(w);
                    row = row.wrapping_add(width);
                }
            }
        }
        for c in 0..c {
            let all = &mut into[c * channel..][..stage.rows * width];
            all[..rows.start * width].fill(0.0);
            all[rows.end * width..].fill(0.0);
        }
    }

    /// Floats of a padded row.
    pub(super) fn pitch(&self, lanes: usize) -> usize {
        (self.grid[1] + (self.kernel[1] - 1) * self.dilation[1]).next_multiple_of(lanes)
    }

    /// Floats that the padded rows of so many lines need, with what vectors read past them.
    pub(super) fn padded_len(&self, lines: usize, lanes: usize) -> usize {
        scratch::floats([self.map.c, self.stage(&(0..lines)).rows, self.pitch(lanes)]) + 2 * lanes
    }

    /// The taps of an output in padded rows.
    pub(super) fn padded_reach(&self, stage: &Stage, lanes: usize, step: usize) -> Reach {
        let pitch = self.pitch(lanes);
        Reach { input: [stage.rows * pitch, self.dilation[0] * pitch, self.dilation[1]], ..self.reach(stage, step) }
    }
}
