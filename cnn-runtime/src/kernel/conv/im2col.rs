//! The input of a convolution as a matrix: a row per tap, a column per output position. It never exists as a whole.
//!
//! The rows of the input that a range of positions needs are first *staged*: copied with their padding, and for
//! horizontal strides sorted by phase, so that the inputs of neighbouring positions are neighbours. A row of a panel is
//! then a few unconditional vector copies, whatever the kernel, stride, dilation or padding.

use std::ops::Range;

use crate::desc::Conv;
use crate::kernel::gemm::Pack;
use crate::kernel::gemm::pack::{PanelRuns, panels};
use crate::kernel::gemm::sink::runs;
use crate::simd::Simd;

/// Floats behind the staged rows that vector copies may read.
const SLACK: usize = 32;

/// `B[(c, kh, kw)][(n, y, x)]` is `data[n * sample + c * plane + iy * w + ix]` where
/// `iy = y * stride + kh * dilation + origin` and likewise `ix`, or zero outside of the map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Im2col<'a> {
    /// The maps, from the first channel of the group on.
    pub data: &'a [f32],
    /// Distance between samples.
    pub sample: usize,
    /// Rows and columns of a map.
    pub map: [usize; 2],
    /// Taps in both directions, neither zero.
    pub kernel: [usize; 2],
    /// Distance between positions.
    pub stride: [usize; 2],
    /// Distance between taps.
    pub dilation: [usize; 2],
    /// Where the first tap of position zero stands: minus the padding.
    pub origin: [isize; 2],
    /// Positions in both directions.
    pub grid: [usize; 2],
}

/// The staged rows of a range of positions: `[channel][row][phase][x]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage {
    first_line: usize,
    last_line: usize,
    /// Rows of one channel, all samples together.
    rows: usize,
    /// Floats of one phase of a row.
    phase: usize,
    /// Floats of a row.
    pub row: usize,
}

impl<'a> Im2col<'a> {
    /// The input of `group` of a convolution.
    pub(super) fn of_input(d: &Conv, group: usize, input: &'a [f32]) -> Self {
        let [top, left, ..] = d.window.pad;
        Im2col {
            data: &input[group * (d.input.c / d.groups) * d.input.plane()..],
            sample: d.input.len(),
            map: [d.input.h, d.input.w],
            kernel: d.window.kernel,
            stride: d.window.stride,
            dilation: d.window.dilation,
            origin: [-(top as isize), -(left as isize)],
            grid: [d.output.h, d.output.w],
        }
    }

    /// Whether every position reads just the input at its own place.
    pub(super) fn is_identity(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.origin == [0, 0] && self.grid == self.map
    }

    /// Taps per channel.
    pub(super) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// How the rows for a range of positions are staged.
    pub(super) fn stage(&self, columns: &Range<usize>) -> Stage {
        let [_, w] = self.grid;
        let phase = w + (self.kernel[1] - 1) * self.dilation[1] / self.stride[1];
        let mut stage = Stage {
            first_line: columns.start / w,
            last_line: (columns.end - 1) / w,
            rows: 0,
            phase,
            row: phase * self.stride[1],
        };
        let last = stage.last_line / self.grid[0];
        stage.rows = self.row_base(&stage, last) + self.rows_of(&self.lines(&stage, last));
        stage
    }

    /// Floats that [`Im2col::fill`] writes for so many channels, and what vector copies read behind them.
    pub(super) fn filled_len(&self, stage: &Stage, channels: usize) -> usize {
        channels * stage.rows * stage.row + SLACK
    }

    /// The staged lines of positions of a sample.
    fn lines(&self, stage: &Stage, sample: usize) -> Range<usize> {
        let first = sample * self.grid[0];
        stage.first_line.max(first) - first..(stage.last_line + 1).min(first + self.grid[0]) - first
    }

    fn rows_of(&self, lines: &Range<usize>) -> usize {
        (lines.len() - 1) * self.stride[0] + (self.kernel[0] - 1) * self.dilation[0] + 1
    }

    /// The first staged row of a sample.
    fn row_base(&self, stage: &Stage, sample: usize) -> usize {
        let first = stage.first_line / self.grid[0];
        if sample == first {
            return 0;
        }
        self.rows_of(&self.lines(stage, first)) + (sample - first - 1) * self.rows_of(&(0..self.grid[0]))
    }

    /// Where the input of the first tap of a position stands in the stage.
    pub(super) fn position(&self, stage: &Stage, sample: usize, y: usize, x: usize) -> usize {
        let line = y - self.lines(stage, sample).start;
        (self.row_base(stage, sample) + line * self.stride[0]) * stage.row + x
    }

    /// How far a tap stands from the first tap of the first staged channel.
    pub(super) fn tap(&self, stage: &Stage, channel: usize, kh: usize, kw: usize) -> usize {
        let across = kw * self.dilation[1];
        (channel * stage.rows + kh * self.dilation[0]) * stage.row
            + across % self.stride[1] * stage.phase
            + across / self.stride[1]
    }

    /// Copies the rows of `channels` into `into`, with zeros for padding.
    #[inline(always)]
    pub(super) fn fill(&self, stage: &Stage, channels: Range<usize>, into: &mut [f32]) {
        let used = |axis: usize, at: usize| {
            let stride = self.stride[axis];
            (0..self.kernel[axis]).any(|tap| tap * self.dilation[axis] % stride == at % stride)
        };
        for sample in stage.first_line / self.grid[0]..=stage.last_line / self.grid[0] {
            let lines = self.lines(stage, sample);
            let base = self.row_base(stage, sample);
            for row in (0..self.rows_of(&lines)).filter(|&row| used(0, row)) {
                let iy = (lines.start * self.stride[0] + row) as isize + self.origin[0];
                for phase in (0..self.stride[1]).filter(|&phase| used(1, phase)) {
                    for (index, channel) in channels.clone().enumerate() {
                        let at = (index * stage.rows + base + row) * stage.row + phase * stage.phase;
                        let to = &mut into[at..at + stage.phase];
                        if iy < 0 || iy >= self.map[0] as isize {
                            to.fill(0.0);
                        } else {
                            let from = sample * self.sample + (channel * self.map[0] + iy as usize) * self.map[1];
                            self.fill_row(phase, &self.data[from..from + self.map[1]], to);
                        }
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn fill_row(&self, phase: usize, from: &[f32], to: &mut [f32]) {
        let (stride, w) = (self.stride[1] as isize, self.map[1] as isize);
        let first = phase as isize + self.origin[1];
        // `x` is inside the map while `0 <= first + x * stride < w`.
        let begin = ((stride - 1 - first).max(0) / stride).min(to.len() as isize);
        let end = ((w - first + stride - 1).max(0) / stride).clamp(begin, to.len() as isize);
        let (begin, end) = (begin as usize, end as usize);
        to[..begin].fill(0.0);
        to[end..].fill(0.0);
        if begin == end {
            return;
        }
        let from = &from[(first + begin as isize * stride) as usize..];
        if stride == 1 {
            to[begin..end].copy_from_slice(&from[..end - begin]);
        } else {
            for (to, from) in to[begin..end].iter_mut().zip(from.iter().step_by(self.stride[1])) {
                *to = *from;
            }
        }
    }

    fn channels(&self, depth: &Range<usize>) -> Range<usize> {
        depth.start / self.taps()..depth.end / self.taps()
    }
}

impl Pack for Im2col<'_> {
    fn unit(&self) -> usize {
        self.taps()
    }

    fn stage_len(&self, depth: &Range<usize>, columns: &Range<usize>) -> usize {
        self.filled_len(&self.stage(columns), self.channels(depth).len())
    }

    #[inline(always)]
    fn pack<S: Simd>(&self, simd: S, depth: Range<usize>, columns: Range<usize>, into: &mut [f32], staged: &mut [f32]) {
        let stage = self.stage(&columns);
        let channels = self.channels(&depth);
        self.fill(&stage, channels.clone(), staged);
        let mut start = 0;
        for (panel, width) in panels(simd, columns) {
            let mut sources = PanelRuns::new();
            for run in runs(self.grid, panel) {
                sources.push(simd, self.position(&stage, run.sample, run.y, run.x), run.at, run.len);
            }
            for channel in 0..channels.len() {
                for kh in 0..self.kernel[0] {
                    for kw in 0..self.kernel[1] {
                        let row = &mut into[start..start + width + 2 * S::LANES];
                        let source = &staged[self.tap(&stage, channel, kh, kw)..];
                        debug_assert!(sources.reach() <= source.len());
                        // SAFETY: the stage holds every tap of these positions and `SLACK` floats behind them.
                        unsafe { sources.copy(simd, source.as_ptr(), row.as_mut_ptr()) };
                        start += width;
                    }
                }
            }
        }
    }
}
