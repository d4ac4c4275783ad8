//! The tiles of a task: where each reads its positions, and where these stand in the maps of the output.

use std::ops::Range;

use super::tile::most;
use super::{Direct, Way, panel};
use crate::kernel::conv::im2col::{Im2col, Stage};
use crate::kernel::gemm::Piece;
use crate::kernel::gemm::sink::{Columns, Run, runs};
use crate::kernel::parallel::part;
use crate::simd::Simd;

/// Most positions of a task that reads panels, and most pieces of any.
pub(super) const POSITIONS: usize = 256;

/// Most lines of a task that reads lines of `w` positions, tiles of so many.
pub(super) fn lines(columns: &Columns, w: usize, positions: usize) -> usize {
    POSITIONS / if columns.x <= 2 { w.div_ceil(positions) } else { w }
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
    /// The tiles of some positions.
    #[inline(always)]
    pub(super) fn new<S: Simd>(simd: S, direct: &Direct<'_>, way: Way, stage: &Stage, positions: Range<usize>) -> Self {
        let mut spots = Spots {
            spots: [Spot { at: 0, len: 0, lines: 1, end: 0 }; POSITIONS],
            len: 0,
            pieces: [Piece { from: 0, to: 0, at: 0, step: 1 }; POSITIONS],
            ends: 0,
            sources: [Source { from: 0, to: 0, len: 0 }; POSITIONS],
            copied: 0,
        };
        let (input, columns) = (&direct.input, &direct.product.columns);
        match way {
            Way::Lines { together } => spots.of_lines(input, columns, stage, positions, together, most::<S>()),
            Way::Panels => {
                spots.of_panels(input, columns, stage, positions, most::<S>(), panel(simd, direct.product.k))
            }
        }
        spots
    }

    fn of_lines(
        &mut self,
        input: &Im2col<'_>,
        columns: &Columns,
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
            let parts = (lines * w).div_ceil(most);
            for part in (0..parts).map(|index| part(lines * w, parts, 1, index)) {
                let at = input.position(stage, sample, y, part.start);
                self.push(columns, line * w + part.start..line * w + part.end, at, lines);
            }
            line += lines;
        }
    }

    fn of_panels(
        &mut self,
        input: &Im2col<'_>,
        columns: &Columns,
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
            self.push(columns, part, index * panel, 1);
        }
    }

    fn push(&mut self, columns: &Columns, positions: Range<usize>, at: usize, lines: usize) {
        let len = positions.len();
        for run in runs(columns.grid, positions) {
            let first = columns.offset(&run);
            // Neighbours, or each second float, are written together.
            let (step, together) = if columns.x <= 2 { (columns.x, run.len) } else { (1, 1) };
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
