//! The tiles of a task: where each reads its positions, and where these stand in the maps of the output.

use std::ops::Range;

use super::{Direct, Way, panel};
use crate::kernel::conv::im2col::{Im2col, Stage};
use crate::kernel::gemm::Piece;
use crate::kernel::gemm::columns::{Columns, Run, runs};
use crate::kernel::parallel::part;
use crate::simd::Simd;

/// Most positions of a task that reads panels, and most pieces of any.
pub(super) const POSITIONS: usize = 256;

/// Where positions stand in the maps of the output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    /// Of the first channel.
    pub columns: Columns,
    /// Channels that stand side by side at each position.
    pub block: usize,
}

impl Output {
    /// Most pieces of a tile of so many positions, wherever it begins.
    pub(super) fn pieces(&self, positions: usize) -> usize {
        if self.is_together() { 1 + self.ends(positions) } else { positions }
    }

    /// Most lines of a task that reads lines of `w` positions, tiles of so many.
    pub(super) fn lines(&self, w: usize, positions: usize) -> usize {
        let ends = if w == self.columns.grid[1] { 0 } else { self.ends(w) };
        POSITIONS / if self.is_together() { w.div_ceil(positions) + ends } else { w }
    }

    /// Positions of a task where a line has too many for one, tiles of so many.
    pub(super) fn part_of_line(&self, positions: usize) -> usize {
        // A line's end cuts a tile, and what a tile writes.
        if self.is_together() { (POSITIONS / 2 - 1) * positions } else { POSITIONS }
    }

    /// Most ends of lines that are written among so many positions.
    fn ends(&self, positions: usize) -> usize {
        let [lines, w] = self.columns.grid;
        if lines > 1 { positions.div_ceil(w) } else { 0 }
    }

    /// Whether the positions of a line are written by one piece: neighbours, each second float, or whole vectors.
    fn is_together(&self) -> bool {
        self.columns.x <= 2 || self.block > 1
    }
}

/// One tile.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    /// Where the first step of the first position is read.
    pub at: usize,
    /// Positions.
    pub len: usize,
    /// Lines that they are in.
    pub lines: usize,
    /// One past its last piece.
    end: usize,
}

/// Positions of a tile that follow one another in what a panel is copied from.
#[derive(Clone, Copy)]
pub(super) struct Source {
    /// The first, for the first step.
    pub from: usize,
    /// Its place in the first row of the panel.
    pub to: usize,
    /// Positions.
    pub len: usize,
}

/// All tiles of a task.
pub(super) struct Spots {
    spots: [Spot; POSITIONS],
    len: usize,
    pieces: [Piece; POSITIONS],
    ends: usize,
    sources: [Source; POSITIONS],
    copied: usize,
}

impl Spots {
    /// The tiles of some positions, at most so many in each.
    #[inline(always)]
    pub(super) fn new<S: Simd>(
        simd: S,
        direct: &Direct<'_>,
        way: Way,
        most: usize,
        stage: &Stage,
        positions: Range<usize>,
    ) -> Self {
        let mut spots = Spots {
            spots: [Spot { at: 0, len: 0, lines: 1, end: 0 }; POSITIONS],
            len: 0,
            pieces: [Piece { from: 0, to: 0, at: 0, step: 1 }; POSITIONS],
            ends: 0,
            sources: [Source { from: 0, to: 0, len: 0 }; POSITIONS],
            copied: 0,
        };
        let (input, output) = (&direct.input, &direct.output());
        match way {
            Way::InPlace => spots.in_place(input, output, positions, most),
            Way::Lines { together } => spots.of_lines(input, output, stage, positions, together, most),
            Way::Panels => spots.of_panels(input, output, stage, positions, most, panel(simd, direct.product.k)),
        }
        spots
    }

    /// Positions that read just the input at their own place, wherever lines end.
    fn in_place(&mut self, input: &Im2col<'_>, output: &Output, positions: Range<usize>, most: usize) {
        let plane = input.map[0] * input.map[1];
        for sample in positions.start / plane..positions.end.div_ceil(plane) {
            let (from, to) = (positions.start.max(sample * plane), positions.end.min((sample + 1) * plane));
            let parts = (to - from).div_ceil(most);
            for part in (0..parts).map(|index| part(to - from, parts, 1, index)) {
                let (begin, end) = (from + part.start, from + part.end);
                let at = sample * input.sample + (begin - sample * plane) * input.block;
                self.push(output, begin..end, at, 1);
            }
        }
    }

    fn of_lines(
        &mut self,
        input: &Im2col<'_>,
        output: &Output,
        stage: &Stage,
        positions: Range<usize>,
        together: usize,
        most: usize,
    ) {
        let [h, w] = input.grid;
        let mut line = positions.start / w;
        while line * w < positions.end {
            let (sample, y) = (line / h, line % h);
            let lines = if y + together <= h && (line + together) * w <= positions.end { together } else { 1 };
            // A task may have a part of its first line and of its last.
            let (from, to) = (positions.start.max(line * w), positions.end.min((line + lines) * w));
            let parts = (to - from).div_ceil(most);
            for part in (0..parts).map(|index| part(to - from, parts, 1, index)) {
                let (begin, end) = (from + part.start, from + part.end);
                let at = input.position(stage, sample, y, begin - line * w);
                self.push(output, begin..end, at, lines);
            }
            line += lines;
        }
    }

    fn of_panels(
        &mut self,
        input: &Im2col<'_>,
        output: &Output,
        stage: &Stage,
        positions: Range<usize>,
        most: usize,
        panel: usize,
    ) {
        let parts = positions.len().div_ceil(most);
        for index in 0..parts {
            let part = part(positions.len(), parts, 1, index);
            let part = positions.start + part.start..positions.start + part.end;
            for Run { sample, y, x, len, at } in runs(input.grid, part.clone()) {
                let from = input.position(stage, sample, y, x);
                self.sources[self.copied] = Source { from, to: index * panel + at, len };
                self.copied += 1;
            }
            self.push(output, part, index * panel, 1);
        }
    }

    fn push(&mut self, output: &Output, positions: Range<usize>, at: usize, lines: usize) {
        let len = positions.len();
        let columns = &output.columns;
        for run in runs(columns.grid, positions) {
            let first = columns.offset(&run);
            let (step, together) = if output.is_together() { (columns.x, run.len) } else { (1, 1) };
            for done in (0..run.len).step_by(together) {
                let from = run.at + done;
                let at = (first + done * columns.x) as isize - (from * step) as isize;
                self.pieces[self.ends] = Piece { from, to: from + together, at, step };
                self.ends += 1;
            }
        }
        self.spots[self.len] = Spot { at, len, lines, end: self.ends };
        self.len += 1;
    }

    /// Tiles.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The tiles, each with where its positions stand in a map.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Spot, &[Piece])> {
        let begins = std::iter::once(0).chain(self.spots.iter().map(|spot| spot.end));
        self.spots[..self.len].iter().zip(begins).map(|(spot, begin)| (spot, &self.pieces[begin..spot.end]))
    }

    /// What panels are copied from, in the order of their positions.
    pub(super) fn sources(&self) -> &[Source] {
        &self.sources[..self.copied]
    }
}
