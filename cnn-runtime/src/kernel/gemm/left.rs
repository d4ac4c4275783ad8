//! Left sides of products: matrices that stand in memory in blocks of rows, or row by row.

use std::ops::Range;

use super::tile::{MAX_MR, Rows};
use crate::kernel::parallel::part;

/// Rows cut into nearly equal blocks of at most [`MAX_MR`].
///
/// Where a matrix stands in blocks, they follow one another, and each is `[depth][rows]`: a register tile of any
/// instruction set reads it from one pointer. As all rows stand somewhere and none twice, it is a permutation of the
/// plain matrix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocks {
    rows: usize,
}

impl Blocks {
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
        self.rows.div_ceil(MAX_MR)
    }

    /// The rows of a block.
    #[inline(always)]
    pub(crate) fn rows(self, index: usize) -> Range<usize> {
        part(self.rows, self.count(), 1, index)
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

/// The left side of a product.
#[derive(Clone, Copy)]
pub(crate) enum Left<'a> {
    /// A matrix in [`Blocks`].
    Blocks(&'a [f32]),
    /// Rows that stand `row` floats apart, their elements `step` apart.
    Rows {
        /// The elements, from the first on.
        data: &'a [f32],
        /// Distance between rows.
        row: usize,
        /// Distance between the elements of a row.
        step: usize,
    },
}

impl Left<'_> {
    /// Asserts that `m` rows of `k` columns stand inside the data.
    pub(super) fn check(&self, m: usize, k: usize) {
        if k == 0 {
            return;
        }
        match *self {
            Left::Blocks(data) => assert_eq!(data.len(), m * k, "length of a left side in blocks"),
            Left::Rows { data, row, step } => {
                assert!((m - 1) * row + (k - 1) * step < data.len(), "the left side ends before its strides");
            }
        }
    }
}

/// Rows whose distance is known at run time only, from the `first` on.
#[inline(always)]
pub(super) fn rows(data: &[f32], row: usize, step: usize, first: usize, depth: usize) -> Rows {
    let mut offsets = [0; MAX_MR];
    for (r, offset) in offsets.iter_mut().enumerate() {
        *offset = r * row;
    }
    Rows { base: data.as_ptr().wrapping_add(first * row + depth * step), offsets, step }
}

#[cfg(test)]
mod tests {
    use super::{Blocks, MAX_MR};

    #[test]
    fn blocks_are_nearly_equal_and_cover_all_rows() {
        for rows in [1, 13, 14, 15, 64, 67, 512] {
            let lens: Vec<_> = Blocks::of(rows).iter().map(|block| block.len()).collect();
            assert_eq!(lens.iter().sum::<usize>(), rows);
            let (least, most) = (lens.iter().min().unwrap(), lens.iter().max().unwrap());
            assert!(most - least <= 1 && *most <= MAX_MR, "{rows} rows: {lens:?}");
        }
    }

    #[test]
    fn every_element_has_a_place_of_its_own() {
        for (rows, depth) in [(1, 1), (15, 3), (29, 7), (5, 0)] {
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
        Blocks::of(15).for_each(2, |plain, blocked| found.push((blocked, plain)));
        found.sort_unstable();
        let plain: Vec<_> = found.into_iter().map(|pair| pair.1).collect();
        let first: Vec<_> = (0..2).flat_map(|k| (0..7).map(move |row| row * 2 + k)).collect();
        assert_eq!(plain[..14], first);
        assert_eq!(plain[14..16], [14, 16]);
    }
}
