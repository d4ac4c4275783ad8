//! Packing: right sides that stand in memory as matrices, and the copying that all kinds of packing share.

use std::ops::Range;

use super::columns::{Columns, Run, runs};
use super::{NC, Pack};
use crate::simd::Simd;

/// Where the columns of all panels of a task are copied from, the same for every row but for an offset.
pub(crate) struct PanelRuns {
    runs: [Copied; NC],
    len: usize,
    reach: usize,
}

/// Rows that are asked for ahead of time: they stand a page or more apart, which no processor guesses.
const AHEAD: usize = 4;

/// Consecutive columns of one panel, at most two vectors.
#[derive(Clone, Copy)]
struct Copied {
    /// The first, in the source of a row.
    from: usize,
    /// The first, in row zero of its panel.
    to: usize,
    /// Whether there are more than one vector can hold.
    two: bool,
}

/// Floats between the starts of panels of `depth` rows. Behind each is a gap, so that what a copy spills is nobody's.
fn pitch<S: Simd>(_: S, depth: usize) -> usize {
    2 * S::LANES * (depth + 1)
}

/// Floats of the panels for so many columns.
pub(crate) fn panels_len<S: Simd>(simd: S, columns: usize, depth: usize) -> usize {
    pitch(simd, depth) * columns.div_ceil(2 * S::LANES)
}

/// Writes where the rows of a panel stand, and returns the distance between panels.
pub(crate) fn panel_steps<S: Simd>(simd: S, depth: usize, steps: &mut [u32]) -> usize {
    for (k, step) in steps.iter_mut().enumerate().take(depth) {
        *step = (2 * S::LANES * k) as u32;
    }
    pitch(simd, depth)
}

impl PanelRuns {
    /// The runs of `columns`, in panels of `depth` rows; `source` says where in a row's source a run starts.
    #[inline(always)]
    pub(crate) fn of<S: Simd>(
        simd: S,
        grid: [usize; 2],
        columns: Range<usize>,
        depth: usize,
        source: impl Fn(&Run) -> usize,
    ) -> Self {
        let mut all = PanelRuns { runs: [Copied { from: 0, to: 0, two: false }; NC], len: 0, reach: 0 };
        for (index, (panel, _)) in panels(simd, columns).enumerate() {
            for run in runs(grid, panel) {
                let (from, to) = (source(&run), index * pitch(simd, depth) + run.at);
                let two = run.len > S::LANES;
                all.runs[all.len] = Copied { from, to, two };
                all.len += 1;
                all.reach = all.reach.max(from + if two { 2 * S::LANES } else { S::LANES });
            }
        }
        all
    }

    /// Floats past the source of a row that copying it reads.
    pub(crate) fn reach(&self) -> usize {
        self.reach
    }

    /// Asks for a row ahead of time.
    #[inline(always)]
    fn prefetch<S: Simd>(&self, simd: S, source: *const f32) {
        for run in &self.runs[..self.len] {
            simd.prefetch(source.wrapping_add(run.from));
            simd.prefetch(source.wrapping_add(run.from + 16));
        }
    }

    /// Copies row `k` of all panels by whole vectors. A run spills into what follows it: rows have to be copied in
    /// ascending order.
    ///
    /// # Safety
    /// From `source` on, [`PanelRuns::reach`] floats can be read; at `panels`, all of them can be written.
    #[inline(always)]
    pub(crate) unsafe fn copy<S: Simd>(&self, simd: S, source: *const f32, k: usize, panels: *mut f32) {
        for run in &self.runs[..self.len] {
            // SAFETY: a run starts inside the panel's width and is at most two vectors long.
            unsafe {
                let (from, to) = (source.add(run.from), panels.add(run.to + k * 2 * S::LANES));
                simd.store(to, simd.load(from));
                if run.two {
                    simd.store(to.add(S::LANES), simd.load(from.add(S::LANES)));
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
    type Way = ();

    fn way(&self, _: &Range<usize>, _: usize) {}

    fn grid(&self) -> [usize; 2] {
        self.columns.grid
    }

    #[inline(always)]
    fn pack<S: Simd>(
        &self,
        simd: S,
        (): &(),
        depth: Range<usize>,
        columns: &Range<usize>,
        into: &mut [f32],
        steps: &mut [u32],
    ) -> usize {
        // A row of all panels at a time: it stands together in memory, and the next one far from it.
        let place = |run: &Run| self.columns.offset(run);
        let sources = PanelRuns::of(simd, self.columns.grid, columns.clone(), depth.len(), place);
        for (row, k) in depth.clone().enumerate() {
            let source = &self.data[k * self.row..];
            if sources.reach() <= source.len() {
                // SAFETY: just measured; the caller has made room for all panels.
                unsafe { sources.copy(simd, source.as_ptr(), row, into.as_mut_ptr()) };
                sources.prefetch(simd, source.as_ptr().wrapping_add(AHEAD * self.row));
                continue;
            }
            for (index, (panel, width)) in panels(simd, columns.clone()).enumerate() {
                let row = &mut into[index * pitch(simd, depth.len()) + row * 2 * S::LANES..][..width];
                for run in runs(self.columns.grid, panel) {
                    let from = self.columns.offset(&run);
                    row[run.at..run.at + run.len].copy_from_slice(&source[from..from + run.len]);
                }
            }
        }
        panel_steps(simd, depth.len(), steps)
    }
}

/// Fills a panel, `width` columns wide, from `columns` columns that stand `distance` apart; the others become zero.
#[inline(always)]
pub(crate) fn transpose<S: Simd>(
    simd: S,
    source: &[f32],
    distance: usize,
    columns: usize,
    width: usize,
    panel: &mut [f32],
) {
    let depth = panel.len() / width;
    simd.transposed([columns, depth], (source, distance), (panel, width));
    if columns < width {
        panel.chunks_exact_mut(width).for_each(|row| row[columns..].fill(0.0));
    }
}

#[cfg(test)]
mod tests {
    use super::transpose;
    use crate::dispatch::Isa;
    use crate::simd::{Kernel, Simd};
    use crate::testing::uniform;

    struct Check {
        columns: usize,
        depth: usize,
    }

    impl Kernel for Check {
        fn run<S: Simd>(self, simd: S) {
            let Check { columns, depth } = self;
            let width = columns.next_multiple_of(S::LANES);
            let distance = depth + 3;
            let source = uniform(1, columns * distance);
            let mut panel = vec![f32::NAN; width * depth];
            transpose(simd, &source, distance, columns, width, &mut panel);
            for k in 0..depth {
                for j in 0..width {
                    let expected = if j < columns { source[j * distance + k] } else { 0.0 };
                    assert_eq!(panel[k * width + j], expected, "{columns} columns, {depth} rows: {k}, {j}");
                }
            }
        }
    }

    #[test]
    fn every_element_changes_its_places() {
        for isa in Isa::available() {
            for (columns, depth) in [(32, 49), (16, 16), (7, 33), (8, 5), (4, 64), (29, 31), (20, 64)] {
                isa.run(Check { columns, depth });
            }
        }
    }
}
