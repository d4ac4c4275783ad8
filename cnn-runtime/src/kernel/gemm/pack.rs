//! Packing: right sides that stand in memory as matrices, and the copying that all kinds of packing share.

use std::ops::Range;

use super::Pack;
use super::sink::{Columns, runs};
use crate::simd::Simd;

/// Most runs of columns in a panel: each column its own.
const MAX_RUNS: usize = 32;

/// Where the columns of one panel are copied from, the same for every row of the panel but for an offset.
pub(crate) struct PanelRuns {
    runs: [(usize, usize, bool); MAX_RUNS],
    len: usize,
    reach: usize,
}

impl PanelRuns {
    /// No runs.
    #[inline(always)]
    pub(crate) fn new() -> Self {
        PanelRuns { runs: [(0, 0, false); MAX_RUNS], len: 0, reach: 0 }
    }

    /// Adds `len` columns, `at` columns into the panel, copied from `source` on.
    #[inline(always)]
    pub(crate) fn push<S: Simd>(&mut self, _: S, source: usize, at: usize, len: usize) {
        let two = len > S::LANES;
        self.runs[self.len] = (source, at, two);
        self.len += 1;
        self.reach = self.reach.max(source + if two { 2 * S::LANES } else { S::LANES });
    }

    /// Floats past the source of a row that copying it reads.
    pub(crate) fn reach(&self) -> usize {
        self.reach
    }

    /// Copies one row by whole vectors. A run spills into what follows it, and the last one past the row: rows have to be
    /// copied in ascending order.
    ///
    /// # Safety
    /// From `source` on, [`PanelRuns::reach`] floats can be read; at `row`, the panel's width and two vectors can be
    /// written.
    #[inline(always)]
    pub(crate) unsafe fn copy<S: Simd>(&self, simd: S, source: *const f32, row: *mut f32) {
        for &(from, at, two) in &self.runs[..self.len] {
            // SAFETY: a run starts inside the panel's width and is at most two vectors long.
            unsafe {
                simd.store(row.add(at), simd.load(source.add(from)));
                if two {
                    simd.store(row.add(at + S::LANES), simd.load(source.add(from + S::LANES)));
                }
            }
        }
    }
}

/// The panels of a range of columns: for each, the columns and its width.
#[inline(always)]
pub(crate) fn panels<S: Simd>(_: S, columns: Range<usize>) -> impl Iterator<Item = (Range<usize>, usize)> {
    columns.clone().step_by(2 * S::LANES).map(move |begin| {
        let end = (begin + 2 * S::LANES).min(columns.end);
        (begin..end, if end - begin > S::LANES { 2 * S::LANES } else { S::LANES })
    })
}

/// A matrix whose rows stand in memory: `B[k][j]` is `data[k * row + columns(j)]`, columns at a distance of one.
pub(crate) struct Plain<'a> {
    /// The elements.
    pub data: &'a [f32],
    /// Distance between rows.
    pub row: usize,
    /// Where the columns stand.
    pub columns: Columns,
}

impl Pack for Plain<'_> {
    fn unit(&self) -> usize {
        1
    }

    fn stage_len(&self, _: &Range<usize>, _: &Range<usize>) -> usize {
        0
    }

    #[inline(always)]
    fn pack<S: Simd>(&self, simd: S, depth: Range<usize>, columns: Range<usize>, into: &mut [f32], _: &mut [f32]) {
        let mut start = 0;
        for (panel, width) in panels(simd, columns) {
            let mut sources = PanelRuns::new();
            for run in runs(self.columns.grid, panel.clone()) {
                sources.push(simd, self.columns.offset(&run), run.at, run.len);
            }
            for k in depth.clone() {
                let row = &mut into[start..start + width + 2 * S::LANES];
                let source = &self.data[k * self.row..];
                if sources.reach() <= source.len() {
                    // SAFETY: just measured on both sides.
                    unsafe { sources.copy(simd, source.as_ptr(), row.as_mut_ptr()) };
                } else {
                    for run in runs(self.columns.grid, panel.clone()) {
                        let from = self.columns.offset(&run);
                        row[run.at..run.at + run.len].copy_from_slice(&source[from..from + run.len]);
                    }
                }
                start += width;
            }
        }
    }
}

/// A matrix whose columns stand in memory: `B[k][j]` is `data[j * column + k]`.
pub(crate) struct Transposed<'a> {
    /// The elements.
    pub data: &'a [f32],
    /// Distance between columns.
    pub column: usize,
}

impl Pack for Transposed<'_> {
    fn unit(&self) -> usize {
        1
    }

    fn stage_len(&self, _: &Range<usize>, _: &Range<usize>) -> usize {
        0
    }

    #[inline(always)]
    fn pack<S: Simd>(&self, simd: S, depth: Range<usize>, columns: Range<usize>, into: &mut [f32], _: &mut [f32]) {
        let mut start = 0;
        for (panel, width) in panels(simd, columns) {
            let end = start + depth.len() * width;
            let source = &self.data[panel.start * self.column + depth.start..];
            transpose(source, self.column, panel.len(), width, &mut into[start..end]);
            start = end;
        }
    }
}

/// Fills a panel, `width` columns wide, from `columns` columns that stand `distance` apart; the others become zero.
#[inline(always)]
pub(crate) fn transpose(source: &[f32], distance: usize, columns: usize, width: usize, panel: &mut [f32]) {
    // Sixteen rows at a time: their cache lines stay at hand while all columns pass over them.
    for (block, rows) in panel.chunks_mut(16 * width).enumerate() {
        let height = rows.len() / width;
        for j in 0..columns {
            let from = j * distance + block * 16;
            for (k, &value) in source[from..from + height].iter().enumerate() {
                rows[k * width + j] = value;
            }
        }
        if columns < width {
            for row in rows.chunks_exact_mut(width) {
                row[columns..].fill(0.0);
            }
        }
    }
}
