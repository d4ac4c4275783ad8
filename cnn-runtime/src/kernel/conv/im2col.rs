//! The input of a convolution as a matrix: a row per tap, a column per output position. It never exists as a whole.
//!
//! The rows of the input that a range of positions needs are first *staged*: copied with their padding, and for strides
//! sorted by phase, so that the inputs of neighbouring positions are neighbours. Where lines are long, the product reads
//! the stage as it is, and drops what it computes for the places between the lines. Else rows of panels are copied from
//! it, each by a few unconditional vector copies, whatever the kernel, stride, dilation or padding.

use std::ops::Range;

use crate::desc::{Conv, Order};
use crate::kernel::gemm::Pack;
use crate::kernel::gemm::columns::Run;
use crate::kernel::gemm::pack::{self, PanelRuns};
use crate::kernel::scratch;
use crate::simd::{Simd, shuffle};

/// Floats behind the staged rows that vector copies may read.
const SLACK: usize = 64;

/// Multiply-adds with a vector that take as long as copying it.
const COPY: usize = 10;

/// `B[(c, kh, kw)][(n, y, x)]` is `data[n * sample + c * plane + iy * w + ix]` where
/// `iy = y * stride + kh * dilation + origin` and likewise `ix`, or zero outside of the map. Where channels stand in blocks,
/// so do they in the stage: each place is `block` floats, and `c` is one of them in the map of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Im2col<'a> {
    /// The maps, from the first channel of the group on.
    pub data: &'a [f32],
    /// Distance between samples.
    pub sample: usize,
    /// Rows and columns of a map.
    pub map: [usize; 2],
    /// Taps in both directions; zero in products without depth alone, which read nothing.
    pub kernel: [usize; 2],
    /// Distance between positions.
    pub stride: [usize; 2],
    /// Distance between taps.
    pub dilation: [usize; 2],
    /// Where the first tap of position zero stands: minus the padding.
    pub origin: [isize; 2],
    /// Positions in both directions.
    pub grid: [usize; 2],
    /// Channels that stand side by side at each place of a map: one, or a block.
    pub block: usize,
}

/// The staged rows of a range of positions: `[channel][phase][line][x]` (with blocks `[block][phase][line][x][channel]`), a phase for each remainder of the strides. In a
/// phase, neighbouring positions are neighbours, whatever the tap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage {
    first_line: usize,
    last_line: usize,
    /// Lines of one phase, all samples together.
    pub lines: usize,
    /// Places of a line.
    pub pitch: usize,
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
            block: d.input.block(),
        }
    }

    /// Whether every position reads just the input at its own place.
    pub(super) fn is_identity(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.origin == [0, 0] && self.grid == self.map
    }

    /// Whether every position reads one place, inside of the map.
    pub(super) fn is_pointwise(&self) -> bool {
        let inside = |axis: usize| (self.grid[axis] - 1) * self.stride[axis] < self.map[axis];
        self.kernel == [1, 1] && self.origin == [0, 0] && inside(0) && inside(1)
    }

    /// Where a position reads that reads one place, in the first of its channels' maps.
    #[inline(always)]
    pub(super) fn place(&self, y: usize, x: usize) -> usize {
        (y * self.stride[0] * self.map[1] + x * self.stride[1]) * self.block
    }

    /// An input that is read at its own places, as one of other lines: the longest of at most `most` positions that
    /// divide the map.
    pub(super) fn in_lines(self, most: usize) -> Self {
        debug_assert!(self.is_identity());
        let plane = self.map[0] * self.map[1];
        let line = (1..=plane.min(most)).rev().find(|line| plane.is_multiple_of(*line)).unwrap_or(plane);
        Im2col { map: [plane / line, line], grid: [plane / line, line], ..self }
    }

    /// The input of some lines of the positions of one sample.
    pub(super) fn of_lines(self, lines: Range<usize>) -> Self {
        let [top, left] = self.origin;
        let origin = [top + (lines.start * self.stride[0]) as isize, left];
        Im2col { origin, grid: [lines.len(), self.grid[1]], ..self }
    }

    /// Taps per channel.
    pub(super) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// How the rows for a range of positions are staged.
    pub(super) fn stage(&self, columns: &Range<usize>) -> Stage {
        let [_, w] = self.grid;
        let (first_line, last_line) = (columns.start / w, (columns.end - 1) / w);
        let mut stage = Stage { first_line, last_line, lines: 0, pitch: w + self.reach(1) };
        let last = stage.last_line / self.grid[0];
        // As many as each sample has at most can be counted, so what they are can.
        scratch::floats([last - stage.first_line / self.grid[0] + 1, self.grid[0] + self.reach(0)]);
        stage.lines = self.line_base(&stage, last) + self.lines(&stage, last).len() + self.reach(0);
        stage
    }

    /// Floats that [`Im2col::fill`] writes for so many channels, and what vector copies read behind them.
    pub(super) fn filled_len(&self, stage: &Stage, channels: usize) -> usize {
        let [down, across] = self.stride;
        scratch::floats([channels, down, across, stage.lines, stage.pitch]) + SLACK
    }

    /// Floats of a staged line.
    pub(super) fn line(&self, stage: &Stage) -> usize {
        stage.pitch * self.block
    }

    /// Positions between the first and the last tap.
    pub(super) fn reach(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilation[axis] / self.stride[axis]
    }

    /// Floats of one staged channel: of a block, its part.
    fn channel(&self, stage: &Stage) -> usize {
        self.stride[0] * self.stride[1] * stage.lines * stage.pitch
    }

    /// The lines of positions of a sample.
    fn lines(&self, stage: &Stage, sample: usize) -> Range<usize> {
        let first = sample * self.grid[0];
        stage.first_line.max(first) - first..(stage.last_line + 1).min(first + self.grid[0]) - first
    }

    /// The first staged line of a sample.
    fn line_base(&self, stage: &Stage, sample: usize) -> usize {
        let first = stage.first_line / self.grid[0];
        if sample == first {
            return 0;
        }
        self.lines(stage, first).len() + (sample - first - 1) * self.grid[0] + (sample - first) * self.reach(0)
    }

    /// Where the input of the first tap of a position stands in its phase.
    pub(super) fn position(&self, stage: &Stage, sample: usize, y: usize, x: usize) -> usize {
        let line = y - self.lines(stage, sample).start;
        ((self.line_base(stage, sample) + line) * stage.pitch + x) * self.block
    }

    /// How far a tap stands from the first tap of the first staged channel.
    pub(super) fn tap(&self, stage: &Stage, channel: usize, kh: usize, kw: usize) -> usize {
        let ([down, across], [sh, sw]) = ([kh * self.dilation[0], kw * self.dilation[1]], self.stride);
        let phase = down % sh * sw + across % sw;
        let place = (phase * stage.lines + down / sh) * stage.pitch + across / sw;
        let (block, inside) = (channel / self.block, channel % self.block);
        (block * self.channel(stage) + place) * self.block + inside
    }

    /// Copies the rows of `channels` into `into`, with zeros for padding. Blocks of channels are whole ones.
    #[inline(always)]
    pub(super) fn fill<S: Simd>(&self, simd: S, stage: &Stage, channels: Range<usize>, into: &mut [f32]) {
        let blocks = channels.start / self.block..channels.end / self.block;
        for (index, block) in blocks.enumerate() {
            self.for_each_row(
                stage,
                #[inline(always)]
                |phase, place, from| {
                    let to = (index * self.channel(stage) + place) * self.block;
                    let to = &mut into[to..][..stage.pitch * self.block];
                    match from {
                        None => to.fill(0.0),
                        Some(from) => {
                            let map = block * self.map[0] * self.map[1] * self.block;
                            self.fill_row(simd, phase, from + map, to);
                        }
                    }
                },
            );
        }
    }

    /// Calls `row(phase, place, from)` for every staged row of a map: its horizontal phase, the place of its first input in
    /// the stage, and where the row of the input begins that it is of, if it is not padding.
    #[inline(always)]
    pub(super) fn for_each_row(&self, stage: &Stage, mut row: impl FnMut(usize, usize, Option<usize>)) {
        let [sh, sw] = self.stride;
        let used = |axis: usize, phase: usize| {
            (0..self.kernel[axis]).any(|tap| tap * self.dilation[axis] % self.stride[axis] == phase)
        };
        for phase in (0..sh * sw).filter(|phase| used(0, phase / sw) && used(1, phase % sw)) {
            for sample in stage.first_line / self.grid[0]..=stage.last_line / self.grid[0] {
                let lines = self.lines(stage, sample);
                let base = phase * stage.lines + self.line_base(stage, sample);
                for line in 0..lines.len() + self.reach(0) {
                    let iy = ((lines.start + line) * sh + phase / sw) as isize + self.origin[0];
                    let inside = (0..self.map[0] as isize).contains(&iy);
                    let from = inside.then(|| sample * self.sample + iy as usize * self.map[1] * self.block);
                    row(phase % sw, (base + line) * stage.pitch, from);
                }
            }
        }
    }

    /// Asks for a row ahead of time: the next channel's stands too far away for the processor to guess.
    #[inline(always)]
    fn prefetch_row<S: Simd>(&self, simd: S, from: usize) {
        for at in (from..from + self.map[1]).step_by(16) {
            simd.prefetch(self.data.as_ptr().wrapping_add(at));
        }
    }

    /// Copies the row of the input that begins at `from`.
    #[inline(always)]
    fn fill_row<S: Simd>(&self, simd: S, phase: usize, from: usize, to: &mut [f32]) {
        let block = self.block;
        let (inside, first) = self.inside(phase, to.len() / block);
        let (begin, end, first) = (inside.start * block, inside.end * block, first * block);
        zero(simd, &mut to[..begin]);
        zero(simd, &mut to[end..]);
        if begin == end {
            return;
        }
        let row = &self.data[from..from + self.map[1] * block];
        if block == 1 {
            self.prefetch_row(simd, from + self.map[0] * self.map[1]);
            copy_every(simd, self.stride[1], &row[first..], &mut to[begin..end]);
        } else {
            copy_blocks(simd, self.stride[1] * block, &row[first..], &mut to[begin..end]);
        }
    }

    /// Which of the first `places` of a row of this phase are inside of the map, and where in its row the first of them is.
    pub(super) fn inside(&self, phase: usize, places: usize) -> (Range<usize>, usize) {
        let (stride, w, places) = (self.stride[1] as isize, self.map[1] as isize, places as isize);
        let first = phase as isize + self.origin[1];
        // `x` is inside the map while `0 <= first + x * stride < w`.
        let begin = ((stride - 1 - first).max(0) / stride).min(places);
        let end = ((w - first + stride - 1).max(0) / stride).clamp(begin, places);
        (begin as usize..end as usize, (first + begin * stride).max(0) as usize)
    }

    fn channels(&self, depth: &Range<usize>) -> Range<usize> {
        depth.start / self.taps()..depth.end / self.taps()
    }
}

/// How far a step is from the first, as kernels read it.
///
/// # Panics
/// If 32 bits do not tell.
pub(super) fn distance(from_first: usize) -> u32 {
    from_first.try_into().expect("steps that 32 bits tell apart")
}

/// Fills a few floats with zeros, without a call.
#[inline(always)]
fn zero<S: Simd>(simd: S, to: &mut [f32]) {
    for part in to.chunks_mut(S::LANES) {
        // SAFETY: the part is at most a vector long.
        unsafe { simd.store_part(part.as_mut_ptr(), simd.splat(0.0), 0, part.len()) };
    }
}

/// Copies blocks of [`Order::BLOCK`] floats, which stand `step` floats apart.
#[inline(always)]
fn copy_blocks<S: Simd>(simd: S, step: usize, from: &[f32], to: &mut [f32]) {
    for (from, to) in from.chunks(step).zip(to.as_chunks_mut::<{ Order::BLOCK }>().0) {
        for at in (0..Order::BLOCK).step_by(S::LANES) {
            let from = &from[at..][..S::LANES];
            // SAFETY: just measured; a block is whole vectors.
            unsafe { simd.store(to.as_mut_ptr().add(at), simd.load(from.as_ptr())) };
        }
    }
}

/// Copies every `stride`th float.
#[inline(always)]
fn copy_every<S: Simd>(simd: S, stride: usize, from: &[f32], to: &mut [f32]) {
    let mut done = 0;
    if stride == 1 {
        assert!(to.len() <= from.len(), "the row ends before the last position");
        // SAFETY: so many floats are left on both sides.
        unsafe {
            while to.len() - done >= S::LANES {
                simd.store(to.as_mut_ptr().add(done), simd.load(from.as_ptr().add(done)));
                done += S::LANES;
            }
            let count = to.len() - done;
            let rest = simd.load_part(from.as_ptr().wrapping_add(done), 0, count);
            simd.store_part(to.as_mut_ptr().wrapping_add(done), rest, 0, count);
        }
        return;
    }
    if stride == 2 {
        while to.len() - done >= S::LANES && from.len() >= 2 * (done + S::LANES) {
            // SAFETY: just measured.
            unsafe {
                let pair = from.as_ptr().add(2 * done);
                let v = simd.pick(simd.load(pair), simd.load(pair.add(S::LANES)), &shuffle::EVEN);
                simd.store(to.as_mut_ptr().add(done), v);
            }
            done += S::LANES;
        }
    }
    for (to, from) in to[done..].iter_mut().zip(from[done * stride..].iter().step_by(stride)) {
        *to = *from;
    }
}

/// How the taps of a range of positions are laid out for the product.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    stage: Stage,
    /// Whether the product reads the stage as it is: what stands between the lines is computed too, and dropped.
    flat: bool,
    lanes: usize,
}

impl Pack for Im2col<'_> {
    type Way = Way;

    fn unit(&self) -> usize {
        self.taps()
    }

    fn way(&self, columns: &Range<usize>, rows: usize) -> Way {
        let stage = self.stage(columns);
        let [h, w] = self.grid;
        let place = |column: usize| self.position(&stage, column / w / h, column / w % h, column % w);
        let lanes = place(columns.end - 1) + 1 - place(columns.start);
        // To copy a vector takes as long as some multiply-adds with it.
        let flat = (lanes - columns.len()) * rows < columns.len() * COPY && lanes <= 2 * columns.len();
        Way { stage, flat, lanes: if flat { lanes } else { columns.len() } }
    }

    fn lanes(&self, way: &Way, _: &Range<usize>) -> usize {
        way.lanes
    }

    fn grid(&self) -> [usize; 2] {
        self.grid
    }

    fn lane(&self, way: &Way, columns: &Range<usize>, run: &Run) -> usize {
        if way.flat {
            let first = columns.start % self.grid[1];
            self.position(&way.stage, run.sample, run.y, run.x) - first
        } else {
            run.at
        }
    }

    fn packed_len<S: Simd>(&self, simd: S, way: &Way, _: &Range<usize>, depth: usize) -> usize {
        let panels = if way.flat { 0 } else { pack::panels_len(simd, way.lanes, depth) };
        panels + self.filled_len(&way.stage, depth / self.taps())
    }

    #[inline(always)]
    fn pack<S: Simd>(
        &self,
        simd: S,
        way: &Way,
        depth: Range<usize>,
        columns: &Range<usize>,
        into: &mut [f32],
        steps: &mut [u32],
    ) -> usize {
        let stage = &way.stage;
        let channels = self.channels(&depth);
        if way.flat {
            self.fill(simd, stage, channels.clone(), into);
            let first = columns.start % self.grid[1];
            self.for_each_tap(stage, channels.len(), |row, tap| steps[row] = distance(first + tap));
            return 2 * S::LANES;
        }
        let (into, staged) = into.split_at_mut(pack::panels_len(simd, way.lanes, depth.len()));
        self.fill(simd, stage, channels.clone(), staged);
        let place = |run: &Run| self.position(stage, run.sample, run.y, run.x);
        let sources = PanelRuns::of(simd, self.grid, columns.clone(), depth.len(), place);
        self.for_each_tap(stage, channels.len(), |row, tap| {
            let source = &staged[tap..];
            debug_assert!(sources.reach() <= source.len());
            // SAFETY: the stage holds every tap of these positions and `SLACK` floats behind them; there is room for all
            // panels.
            unsafe { sources.copy(simd, source.as_ptr(), row, into.as_mut_ptr()) };
        });
        pack::panel_steps(simd, depth.len(), steps)
    }
}

impl Im2col<'_> {
    /// Calls `tap(row, offset)` for every tap of so many staged channels.
    #[inline(always)]
    pub(super) fn for_each_tap(&self, stage: &Stage, channels: usize, mut tap: impl FnMut(usize, usize)) {
        let mut row = 0;
        for channel in 0..channels {
            for kh in 0..self.kernel[0] {
                for kw in 0..self.kernel[1] {
                    tap(row, self.tap(stage, channel, kh, kw));
                    row += 1;
                }
            }
        }
    }
}
