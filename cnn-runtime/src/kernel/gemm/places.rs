//! Where the vectors of a row of tiles stand in memory: columns may be broken up by the ends of maps, or stand apart.

use std::ops::Range;

use super::NC;
use super::columns::{Columns, Run, runs};
use crate::simd::Simd;

/// Lanes of a vector that stand in memory one after the other: lane `l` of `from..to` at `at + l * step`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// First lane.
    pub from: usize,
    /// One past the last lane.
    pub to: usize,
    /// Where lane zero stands or would stand.
    pub at: isize,
    /// Distance between lanes: one, or two as where maps are written by phases; one for a lone lane.
    pub step: usize,
}

/// The places of up to [`NC`] columns.
pub(crate) struct Places {
    pieces: [Piece; 2 * NC],
    /// Pieces.
    count: usize,
    /// One past the last piece of each vector.
    ends: [usize; NC],
    vectors: usize,
}

impl Piece {
    /// Whether these are all lanes of a vector, neighbours.
    #[inline(always)]
    pub(crate) fn is_whole<S: Simd>(&self) -> bool {
        self.from == 0 && self.to == S::LANES && self.step == 1
    }
}

impl Places {
    /// The vectors of a range of columns that take up so many lanes: those of a run of `grid` follow one another from
    /// `lane` on.
    #[inline(always)]
    pub(crate) fn new<S: Simd>(
        _: S,
        columns: &Columns,
        range: Range<usize>,
        lanes: usize,
        grid: [usize; 2],
        lane: impl Fn(&Run) -> usize,
    ) -> Self {
        let nothing = Piece { from: 0, to: 0, at: 0, step: 1 };
        let vectors = lanes.div_ceil(S::LANES);
        let mut places = Places { pieces: [nothing; 2 * NC], count: 0, ends: [0; NC], vectors };
        let first_column = range.start;
        let parts = |line: Run| {
            let range = first_column + line.at..first_column + line.at + line.len;
            runs(columns.grid, range).map(move |run| (line, run))
        };
        for (line, run) in runs(grid, range).flat_map(parts) {
            let (lane, first) = (lane(&line) + run.at, columns.offset(&run) as isize);
            let mut done = 0;
            while done < run.len {
                let (vector, from) = ((lane + done) / S::LANES, (lane + done) % S::LANES);
                let len = if columns.x <= 2 { (S::LANES - from).min(run.len - done) } else { 1 };
                let step = if len > 1 { columns.x } else { 1 };
                let at = first + (done * columns.x) as isize - (from * step) as isize;
                places.push(vector, Piece { from, to: from + len, at, step });
                done += len;
            }
        }
        // A vector without a place of its own ends where the one before it does.
        for vector in 1..vectors {
            places.ends[vector] = places.ends[vector].max(places.ends[vector - 1]);
        }
        places
    }

    /// Adds a piece of a vector, the one behind the last: as a part of that one if it goes on.
    #[inline(always)]
    fn push(&mut self, vector: usize, piece: Piece) {
        if piece.from > 0 && self.count > 0 && self.ends[vector] == self.count {
            let before = &mut self.pieces[self.count - 1];
            if before.to == piece.from && before.at == piece.at && before.step == piece.step {
                before.to = piece.to;
                return;
            }
        }
        self.pieces[self.count] = piece;
        self.count += 1;
        self.ends[vector] = self.count;
    }

    /// Vectors.
    #[inline(always)]
    pub(crate) fn vectors(&self) -> usize {
        self.vectors
    }

    /// The pieces of a vector.
    #[inline(always)]
    pub(crate) fn of(&self, vector: usize) -> &[Piece] {
        let begin = if vector == 0 { 0 } else { self.ends[vector - 1] };
        &self.pieces[begin..self.ends[vector]]
    }
}

#[cfg(test)]
mod tests {
    use super::{Piece, Places};
    use crate::kernel::gemm::columns::Columns;
    use crate::simd::Portable;

    fn found(columns: Columns, range: std::ops::Range<usize>) -> Vec<Vec<(usize, usize, isize)>> {
        let lanes = range.len();
        let places = Places::new(Portable, &columns, range, lanes, columns.grid, |run| run.at);
        let pieces = |vector| places.of(vector).iter().map(|&Piece { from, to, at, .. }| (from, to, at)).collect();
        (0..places.vectors()).map(pieces).collect()
    }

    #[test]
    fn vectors_break_where_maps_end() {
        let columns = Columns { grid: [1, 5], sample: 100, y: 5, x: 1, heads: [1, 1] };
        assert_eq!(found(columns, 1..8), [vec![(0, 4, 1)], vec![(0, 3, 100)]]);
        assert_eq!(found(columns, 2..9), [vec![(0, 3, 2), (3, 4, 97)], vec![(0, 3, 101)]]);
    }

    #[test]
    fn neighbours_across_lines_are_one_piece() {
        let columns = Columns::maps(9, 100);
        let places = Places::new(Portable, &columns, 0..8, 8, [3, 3], |run| run.at);
        assert_eq!(places.of(0), [Piece { from: 0, to: 4, at: 0, step: 1 }]);
        assert_eq!(places.of(1), [Piece { from: 0, to: 4, at: 4, step: 1 }]);
    }

    #[test]
    fn columns_that_stand_apart_are_pieces_of_their_own() {
        let columns = Columns { grid: [2, 3], sample: 60, y: 20, x: 3, heads: [1, 1] };
        assert_eq!(found(columns, 2..5), [vec![(0, 1, 6), (1, 2, 19), (2, 3, 21)]]);
    }

    #[test]
    fn columns_two_apart_are_one_piece_with_that_step() {
        let columns = Columns { grid: [2, 5], sample: 60, y: 20, x: 2, heads: [1, 1] };
        let places = Places::new(Portable, &columns, 1..8, 7, columns.grid, |run| run.at);
        assert_eq!(places.of(0), [Piece { from: 0, to: 4, at: 2, step: 2 }]);
        assert_eq!(places.of(1), [Piece { from: 0, to: 3, at: 20, step: 2 }]);
    }
}
