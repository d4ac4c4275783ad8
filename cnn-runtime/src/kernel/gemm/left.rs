//! Left sides of products: matrices that stand in memory in blocks of rows, or row by row.

use super::tile::{MAX_MR, Rows};
#[allow(unused_imports)] // named in the documentation
use crate::kernel::blocks::Blocks;

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
