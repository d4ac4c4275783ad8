//! The sides of a product: where the lines of a matrix stand, and how tiles of them become digits.

use std::ops::Range;

use super::STEPS;
use crate::desc::Fc;
use crate::kernel::fc::WIDTH;
use crate::simd::Simd;
use crate::simd::amx::{Greatest, LEFT, RIGHT, ROWS, ROWS_APART, STEP, Scale, ZEROS, turn, write_digits};

/// Vectors of a step that a line takes part in, or that stand side by side in it.
const VECTORS: usize = STEP / ROWS;
/// Room for the sources of a step.
pub(super) type Edge = [[[f32; ROWS]; VECTORS]; ROWS];
/// As the width of a [`Matrix`]'s panels: it has only one.
pub(super) const PLAIN: usize = usize::MAX;

/// A matrix whose columns stand in panels of so many, one behind another: `[panel][row][column of the panel]`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a, const PANEL: usize> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
}

impl<'a> Matrix<'a, PLAIN> {
    pub(super) fn plain(data: &'a [f32], [rows, columns]: [usize; 2]) -> Self {
        Matrix { data, rows, columns }
    }
}

impl<'a> Matrix<'a, WIDTH> {
    /// Weights: inputs by outputs.
    pub(super) fn weights(data: &'a [f32], d: &Fc) -> Self {
        Matrix { data, rows: d.inputs, columns: d.outputs }
    }
}

impl<const PANEL: usize> Matrix<'_, PANEL> {
    /// The sixteen columns of a row that are the `block`th: fewer at the end, none beyond it.
    #[inline(always)]
    fn vector(&self, row: usize, block: usize) -> &[f32] {
        let column = block * ROWS;
        if row >= self.rows || column >= self.columns {
            return &[];
        }
        let first = column / PANEL * PANEL;
        let width = PANEL.min(self.columns - first);
        let row = &self.data[first * self.rows + row * width..][..width];
        let row = &row[column - first..];
        &row[..row.len().min(ROWS)]
    }
}

/// A side of a product.
#[derive(Clone, Copy)]
pub(super) struct Side<'a, const PANEL: usize> {
    pub matrix: Matrix<'a, PANEL>,
    /// Whether a line's terms are the columns of a row; else they are the rows of a column.
    pub along: bool,
    /// Whether lines are the rows of the sums; else they are the columns.
    pub left: bool,
}

/// Where the sources of a tile's digits in a step stand: sixteen times four vectors.
#[derive(Clone, Copy)]
struct Sources {
    first: *const f32,
    /// From one to the next of the sixteen.
    apart: usize,
    /// From the first to each of the four.
    vectors: [usize; VECTORS],
}

impl Sources {
    /// The four vectors of one of the sixteen.
    #[inline(always)]
    fn of(&self, index: usize) -> [*const f32; VECTORS] {
        self.vectors.map(|vector| self.first.wrapping_add(index * self.apart + vector))
    }
}

impl<const PANEL: usize> Side<'_, PANEL> {
    /// Lines.
    pub(super) fn lines(&self) -> usize {
        if self.along { self.matrix.rows } else { self.matrix.columns }
    }

    /// One of the four vectors that are the `index`th source of a tile's digits in a step.
    #[inline(always)]
    fn vector(&self, tile: usize, step: usize, index: usize, vector: usize) -> &[f32] {
        if self.along {
            self.matrix.vector(tile * ROWS + index, step * VECTORS + vector)
        } else {
            self.matrix.vector(step * STEP + vector * ROWS + index, tile)
        }
    }

    /// Where the sources of a tile's digits in a step stand; `edge` holds them where not all are whole.
    #[inline(always)]
    fn sources(&self, tile: usize, step: usize, edge: &mut Edge) -> Sources {
        let corner = |index, vector| self.vector(tile, step, index, vector);
        if corner(ROWS - 1, VECTORS - 1).len() == ROWS {
            // Then so are all.
            let data = self.matrix.data.as_ptr();
            let place = |index, vector| (corner(index, vector).as_ptr() as usize - data as usize) / size_of::<f32>();
            let first = place(0, 0);
            let vectors = std::array::from_fn(|vector| place(0, vector) - first);
            return Sources { first: data.wrapping_add(first), apart: place(1, 0) - first, vectors };
        }
        for (index, vectors) in edge.iter_mut().enumerate() {
            for (vector, to) in vectors.iter_mut().enumerate() {
                let from = corner(index, vector);
                *to = [0.0; ROWS];
                to[..from.len()].copy_from_slice(from);
            }
        }
        let first = edge.as_flattened().as_flattened().as_ptr();
        Sources { first, apart: VECTORS * ROWS, vectors: std::array::from_fn(|vector| vector * ROWS) }
    }

    /// The scales of a tile's lines.
    #[inline(always)]
    fn scales(&self, sources: &[Sources]) -> [Scale; ROWS] {
        // SAFETY: all sources are vectors; a processor with a matrix unit has AVX-512.
        let most = unsafe {
            let mut most = [Greatest::none(); ROWS];
            for step in sources {
                for (index, most) in most.iter_mut().enumerate() {
                    for vector in step.of(index) {
                        *most = most.and(vector);
                    }
                }
            }
            if self.along { most.map(|most| most.all()) } else { Greatest::of_all(&most).lanes() }
        };
        most.map(Scale::of)
    }

    /// Writes the digits of a tile in some steps, [`RIGHT`] floats for each; what their sums are multiplied by, line by line.
    #[inline(always)]
    pub(super) fn write<S: Simd>(
        &self,
        simd: S,
        tile: usize,
        steps: &Range<usize>,
        edges: &mut [Edge],
        to: &mut [f32],
    ) -> [f32; ROWS] {
        let nowhere = Sources { first: ZEROS.as_ptr(), apart: 0, vectors: [0; VECTORS] };
        let mut sources = [nowhere; STEPS];
        for ((sources, edge), step) in sources.iter_mut().zip(edges).zip(steps.clone()) {
            *sources = self.sources(tile, step, edge);
        }
        let sources = &sources[..steps.len()];
        let scales = self.scales(sources);
        let ups = scales.map(|scale| scale.up);
        let turns = self.along != self.left;
        let mut turned = [[0.0; LEFT]; ROWS];
        for (sources, to) in sources.iter().zip(to.as_chunks_mut::<RIGHT>().0) {
            let rows = if turns { &mut turned[..] } else { to.as_chunks_mut::<LEFT>().0 };
            for (index, row) in rows.iter_mut().enumerate().take(ROWS) {
                let up = if self.along { [ups[index]; ROWS] } else { ups };
                // SAFETY: all sources are vectors, and a row has room for three; a processor with a matrix unit has AVX-512.
                unsafe { write_digits(sources.of(index), up.as_ptr(), row.as_mut_ptr(), STEP / 4) };
            }
            if turns {
                turn(simd, &turned, to, ROWS_APART);
            }
        }
        scales.map(|scale| scale.down)
    }
}
