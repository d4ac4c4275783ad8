//! How the weights of convolutions and of fully connected layers stand in memory: outputs in blocks, so that vectors have one
//! in each lane.

use std::ops::Range;

#[cfg(target_arch = "x86_64")]
use crate::simd::Simd;

/// Rows cut into blocks of [`Blocks::MOST`]; the last one has what is left.
///
/// A matrix in blocks has them one after the other, each `[depth][rows]`. As all rows stand somewhere and none twice, it
/// is a permutation of the plain matrix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocks {
    rows: usize,
}

impl Blocks {
    /// Most rows of a block: two vectors of sixteen lanes.
    pub(crate) const MOST: usize = 32;

    /// The blocks of so many rows.
    pub(crate) const fn of(rows: usize) -> Self {
        Blocks { rows }
    }

    /// Rows.
    pub(crate) const fn len(self) -> usize {
        self.rows
    }

    /// Blocks.
    pub(crate) const fn count(self) -> usize {
        self.rows.div_ceil(Self::MOST)
    }

    /// The rows of a block.
    #[inline(always)]
    pub(crate) fn rows(self, index: usize) -> Range<usize> {
        index * Self::MOST..self.rows.min((index + 1) * Self::MOST)
    }

    /// The first element of a block of a matrix with `depth` columns.
    #[inline(always)]
    pub(crate) const fn start(self, index: usize, depth: usize) -> usize {
        index * Self::MOST * depth
    }

    /// All blocks: the rows of each.
    pub(crate) fn iter(self) -> impl Iterator<Item = Range<usize>> {
        (0..self.count()).map(move |index| self.rows(index))
    }

    /// Calls `pair(plain, blocked)` with both places of every element of a matrix with `depth` columns.
    pub(crate) fn for_each(self, depth: usize, mut pair: impl FnMut(usize, usize)) {
        for rows in self.iter() {
            for k in 0..depth {
                for row in rows.clone() {
                    pair(row * depth + k, rows.start * depth + k * rows.len() + row - rows.start);
                }
            }
        }
    }
}

/// Floats of a cache line.
#[cfg(target_arch = "x86_64")]
pub(crate) const LINE: usize = 16;

/// Cache lines in pieces that stand apart, one after the other: what is brought nearer while something else is at work.
/// Nothing is read, so they may be anywhere.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Lines {
    /// The next one, and how many of its piece are left.
    at: *const f32,
    left: usize,
    /// Lines of a piece.
    piece: usize,
    /// Floats from the end of a piece to the next one.
    gap: usize,
}

#[cfg(target_arch = "x86_64")]
impl Lines {
    /// Those from `first` on, in pieces of so many floats, which are `apart` from one to the next.
    pub(crate) fn of(first: *const f32, floats: usize, apart: usize) -> Self {
        let piece = floats / LINE;
        Lines { at: first, left: piece, piece, gap: apart.wrapping_sub(piece * LINE) }
    }

    /// Brings so many of them nearer.
    #[inline(always)]
    pub(crate) fn ask<S: Simd>(&mut self, simd: S, mut count: usize) {
        while count > 0 {
            let run = count.min(self.left);
            for line in 0..run {
                simd.prefetch_later(self.at.wrapping_add(line * LINE));
            }
            (self.at, self.left, count) = (self.at.wrapping_add(run * LINE), self.left - run, count - run);
            if self.left == 0 {
                (self.at, self.left) = (self.at.wrapping_add(self.gap), self.piece);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Blocks;

    #[test]
    fn blocks_are_full_but_for_the_last_and_cover_all_rows() {
        for rows in [1, 13, 31, 32, 33, 64, 67, 512] {
            let blocks: Vec<_> = Blocks::of(rows).iter().collect();
            assert!(blocks.windows(2).all(|pair| pair[0].len() == Blocks::MOST && pair[0].end == pair[1].start));
            assert_eq!((blocks[0].start, blocks[blocks.len() - 1].end), (0, rows));
            assert!(!blocks[blocks.len() - 1].is_empty());
        }
    }

    #[test]
    fn every_element_has_a_place_of_its_own() {
        for (rows, depth) in [(1, 1), (33, 3), (65, 7), (5, 0)] {
            let (mut plain, mut blocked) = (vec![0; rows * depth], vec![0; rows * depth]);
            Blocks::of(rows).for_each(depth, |p, b| {
                plain[p] += 1;
                blocked[b] += 1;
            });
            assert!(plain.iter().chain(&blocked).all(|&times| times == 1), "{rows} x {depth}");
        }
    }

    #[test]
    fn a_block_holds_its_rows_side_by_side() {
        let mut found = Vec::new();
        Blocks::of(34).for_each(2, |plain, blocked| found.push((blocked, plain)));
        found.sort_unstable();
        let plain: Vec<_> = found.into_iter().map(|pair| pair.1).collect();
        let first: Vec<_> = (0..2).flat_map(|k| (0..32).map(move |row| row * 2 + k)).collect();
        assert_eq!(plain[..64], first);
        assert_eq!(plain[64..], [64, 66, 65, 67]);
    }
}
