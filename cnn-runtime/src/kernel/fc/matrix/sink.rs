//! Where the sums of a product go.

use super::super::WIDTH;
use super::super::ends::Ends;
use crate::desc::{Fc, Write};
use crate::kernel::blocks::Blocks;
use crate::kernel::parallel::Shared;
use crate::kernel::post::Post;
use crate::simd::Simd;
use crate::simd::amx::{Exact, ROWS, in_steps};

/// Which of the chunks of terms some sums are of.
#[derive(Clone, Copy)]
pub(super) struct Chunk {
    pub is_first: bool,
    pub is_last: bool,
}

/// The sums of two tiles; `FAR` if what those of a row are multiplied by goes [in two steps](in_steps), which hardly any does.
pub(super) struct TileSums<'a, const FAR: bool> {
    pub exact: &'a Exact,
    /// What those of each row, and of each column, are multiplied by.
    pub downs: [&'a [f32; ROWS]; 2],
}

impl<const FAR: bool> TileSums<'_, FAR> {
    /// Those of a row.
    #[inline(always)]
    fn row<S: Simd>(&self, simd: S, row: usize) -> S::V {
        let [rows, columns] = self.downs;
        let [down, rest] = if FAR { in_steps(rows[row]) } else { [rows[row], 1.0] };
        // SAFETY: as many as a vector has, where there is a matrix unit.
        let columns = unsafe { simd.load(columns.as_ptr()) };
        let columns = if FAR { simd.mul(columns, simd.splat(rest)) } else { columns };
        simd.mul(self.exact.row(simd, row, down), columns)
    }
}

/// Where sums go.
pub(super) trait Sink {
    /// Writes the sums of two tiles, whose indices these are, or adds them to those of earlier chunks.
    fn write<S: Simd, const FAR: bool>(&self, simd: S, at: [usize; 2], sums: &TileSums<'_, FAR>, chunk: &Chunk);

    /// Called after the last sums of a task.
    #[inline(always)]
    fn end<S: Simd>(&self, _: S) {}
}

/// Outputs, `[sample][output]`.
pub(super) struct Outputs<'a> {
    pub output: Shared,
    pub samples: usize,
    /// Outputs of a sample.
    pub width: usize,
    pub post: Post<'a>,
}

impl Sink for Outputs<'_> {
    #[inline(always)]
    fn write<S: Simd, const FAR: bool>(
        &self,
        simd: S,
        [left, right]: [usize; 2],
        sums: &TileSums<'_, FAR>,
        chunk: &Chunk,
    ) {
        let outputs = right * ROWS..self.width.min((right + 1) * ROWS);
        let lanes = outputs.len();
        let ends = chunk.is_last.then(|| Ends::of(&self.post, outputs.clone()));
        let residual = self.post.residual().map(<[f32]>::as_ptr);
        for (row, sample) in (left * ROWS..self.samples).enumerate().take(ROWS) {
            let at = sample * self.width + outputs.start;
            // SAFETY: this sample has these outputs, which are this task's alone, and as long a residual.
            unsafe {
                let to = self.output.at(at);
                let mut value = sums.row(simd, row);
                if !chunk.is_first {
                    value = simd.add(value, simd.load_part(to, 0, lanes));
                }
                if let Some(ends) = &ends {
                    value = ends.apply::<S, true>(simd, value, 0, lanes, residual.map(|all| all.wrapping_add(at)));
                }
                simd.store_part(to, value, 0, lanes);
            }
        }
    }
}

/// Sums on cache lines.
#[repr(align(64))]
struct Rows([[f32; ROWS]; ROWS]);

/// Gradients by the input, `[sample][input]`; rows of sums are inputs.
pub(super) struct Inputs {
    pub d_input: Shared,
    pub samples: usize,
    /// Inputs of a sample.
    pub width: usize,
    pub write: Write,
}

impl Sink for Inputs {
    #[inline(always)]
    fn write<S: Simd, const FAR: bool>(
        &self,
        simd: S,
        [left, right]: [usize; 2],
        sums: &TileSums<'_, FAR>,
        chunk: &Chunk,
    ) {
        let inputs = left * ROWS..self.width.min((left + 1) * ROWS);
        let adds = !chunk.is_first || self.write == Write::Add;
        let mut rows = Rows([[0.0; ROWS]; ROWS]);
        for (row, to) in rows.0.iter_mut().enumerate() {
            // SAFETY: as many floats as a vector has, where there is a matrix unit.
            unsafe { simd.store(to.as_mut_ptr(), sums.row(simd, row)) };
        }
        // SAFETY: sixteen rows of as many sums.
        let turned = unsafe { simd.columns(rows.0.as_flattened().as_ptr(), ROWS) };
        for (sample, mut value) in (right * ROWS..self.samples).zip(turned) {
            // SAFETY: this sample has these inputs, whose gradients are this task's alone.
            unsafe {
                let to = self.d_input.at(sample * self.width + inputs.start);
                if adds {
                    value = simd.add(value, simd.load_part(to, 0, inputs.len()));
                }
                simd.store_part(to, value, 0, inputs.len());
            }
        }
    }
}

/// Gradients by the weights, in their panels; rows of sums are inputs.
pub(super) struct Weights {
    pub d_weight: Shared,
    pub d: Fc,
    /// Whether to write past the caches.
    pub stream: bool,
}

impl Sink for Weights {
    #[inline(always)]
    fn write<S: Simd, const FAR: bool>(
        &self,
        simd: S,
        [left, right]: [usize; 2],
        sums: &TileSums<'_, FAR>,
        chunk: &Chunk,
    ) {
        let panels = Blocks::of(self.d.outputs);
        let panel = right * ROWS / WIDTH;
        let (outputs, first) = (panels.rows(panel), right * ROWS % WIDTH);
        let lanes = (outputs.len() - first).min(ROWS);
        // Rows of whole panels stand on cache lines if the first one does.
        let stream = self.stream && outputs.len() == WIDTH;
        for (row, input) in (left * ROWS..self.d.inputs).enumerate().take(ROWS) {
            // SAFETY: the panel has a row for each input; those of these outputs are this task's alone.
            unsafe {
                let to = self.d_weight.at(panels.start(panel, self.d.inputs) + input * outputs.len() + first);
                let mut value = sums.row(simd, row);
                if !chunk.is_first {
                    value = simd.add(value, simd.load_part(to, 0, lanes));
                }
                if stream {
                    simd.stream(to, value);
                } else {
                    simd.store_part(to, value, 0, lanes);
                }
            }
        }
    }

    #[inline(always)]
    fn end<S: Simd>(&self, simd: S) {
        if self.stream {
            simd.fence();
        }
    }
}
