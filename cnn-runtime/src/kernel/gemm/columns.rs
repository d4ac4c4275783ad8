//! Where the columns of a product stand in memory.

use std::ops::Range;

/// Columns as positions `(sample, y, x)` of a stack of maps, `x` fastest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns {
    /// Positions along `y` and `x` of one sample.
    pub grid: [usize; 2],
    /// Distance between samples.
    pub sample: usize,
    /// Distance between `y`.
    pub y: usize,
    /// Distance between `x`.
    pub x: usize,
    /// Lines and positions of the map that a column is the first of: it sets the others to zero. Of maps in blocks alone.
    pub heads: [usize; 2],
}

/// Consecutive columns of one line of the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The sample.
    pub sample: usize,
    /// The line in the sample.
    pub y: usize,
    /// The first position in the line.
    pub x: usize,
    /// Positions.
    pub len: usize,
    /// Columns between the start of the range and this run.
    pub at: usize,
}

/// Splits a range of columns of a grid into runs that stay in one line.
pub(crate) fn runs([h, w]: [usize; 2], columns: Range<usize>) -> impl Iterator<Item = Run> {
    let line = columns.start / w;
    let (mut sample, mut y, mut x) = (line / h, line % h, columns.start % w);
    let (mut at, total) = (0, columns.len());
    std::iter::from_fn(move || {
        if at == total {
            return None;
        }
        let run = Run { sample, y, x, len: (w - x).min(total - at), at };
        at += run.len;
        x = 0;
        y += 1;
        if y == h {
            (sample, y) = (sample + 1, 0);
        }
        Some(run)
    })
}

impl Columns {
    /// The columns of whole maps, `sample` floats apart; a map's lines become one.
    pub(crate) const fn maps(plane: usize, sample: usize) -> Self {
        Columns { grid: [1, plane], sample, y: plane, x: 1, heads: [1, 1] }
    }

    /// The same columns where channels stand in blocks: a vector for each.
    pub(crate) const fn in_blocks(self, block: usize) -> Self {
        Columns { y: self.y * block, x: self.x * block, ..self }
    }

    /// Where the first column of a run stands.
    pub(crate) fn offset(&self, run: &Run) -> usize {
        run.sample * self.sample + run.y * self.y + run.x * self.x
    }
}

#[cfg(test)]
mod tests {
    use super::{Columns, runs};

    #[test]
    fn runs_break_at_lines_and_samples() {
        let columns = Columns { grid: [2, 3], sample: 100, y: 10, x: 1, heads: [1, 1] };
        let found: Vec<_> = runs(columns.grid, 4..14).map(|run| (run.at, columns.offset(&run), run.len)).collect();
        assert_eq!(found, [(0, 11, 2), (2, 100, 3), (5, 110, 3), (8, 200, 2)]);
    }

    #[test]
    fn an_empty_range_has_no_runs() {
        assert_eq!(runs([2, 3], 6..6).count(), 0);
    }
}
