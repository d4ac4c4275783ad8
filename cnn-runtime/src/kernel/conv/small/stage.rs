//! The input of some lines of outputs, with its padding, once for each horizontal tap.
//!
//! `[channel][kw][row][x]`: each row as wide as the output. The inputs under one tap of consecutive outputs, from line to
//! line too, are then consecutive floats: vectors of outputs run across the ends of lines, and no lane is lost to maps
//! that are narrower than a vector or wider by a few columns.

use std::ops::Range;

use super::tile::Reach;
use crate::desc::{Conv, Map, Window};
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
        self.map.c * self.channel(&self.stage(&(0..lines))) + lanes
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

    /// Copies the rows of all channels of `input`, with zeros for padding.
    #[inline(always)]
    pub(super) fn fill<S: Simd>(&self, simd: S, stage: &Stage, input: &[f32], into: &mut [f32]) {
        let lines = stage.rows - (self.kernel[0] - 1) * self.dilation[0];
        assert!(into.len() >= self.stage_len(lines, S::LANES) && input.len() >= self.map.len(), "room for the stage");
        let first = stage.line as isize + self.origin[0];
        // Rows of the stage that lie inside the map.
        let top = (-first).clamp(0, stage.rows as isize) as usize;
        let bottom = (self.map.h as isize - first).clamp(top as isize, stage.rows as isize) as usize;
        let width = self.grid[1];
        for c in 0..self.map.c {
            for kw in 0..self.kernel[1] {
                let at = c * self.channel(stage) + kw * self.across(stage);
                if top > 0 {
                    into[at..at + top * width].fill(0.0);
                }
                let row = (c * self.map.h) as isize + first + top as isize;
                let source = row * self.map.w as isize + self.origin[1] + (kw * self.dilation[1]) as isize;
                // The last vector of a row spills into the next row, whose first ones are written after it.
                for start in (0..width).step_by(S::LANES).rev() {
                    let (from, to) = self.inside(kw, start, S::LANES);
                    let source = input.as_ptr().wrapping_offset(source + start as isize);
                    let to_row = at + top * width + start;
                    for row in 0..bottom - top {
                        // SAFETY: the lanes `from..to` lie inside a row of the map. A vector reaches past its row of the
                        // stage by less than the vector that `stage_len` adds.
                        unsafe {
                            let vector = simd.load_part(source.wrapping_add(row * self.map.w), from, to);
                            simd.store(into.as_mut_ptr().add(to_row + row * width), vector);
                        }
                    }
                }
                if bottom < stage.rows {
                    into[at + bottom * width..at + stage.rows * width].fill(0.0);
                }
            }
        }
    }

    /// The lanes of the vector at output `start` of a line that read inputs inside the map under tap `kw`.
    #[inline(always)]
    fn inside(&self, kw: usize, start: usize, lanes: usize) -> (usize, usize) {
        let first = start as isize + self.origin[1] + (kw * self.dilation[1]) as isize;
        let lanes = lanes.min(self.grid[1] - start) as isize;
        let from = (-first).clamp(0, lanes);
        let to = (self.map.w as isize - first).clamp(from, lanes);
        (from as usize, to as usize)
    }
}
