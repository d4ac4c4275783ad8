//! All three passes over many samples on a processor's matrix unit.
//!
//! Each is a product of two matrices, summed over *terms*: inputs in the forward pass, outputs in the gradient by the input,
//! samples in that by the weights. Both sides are cut into tiles of sixteen *lines*, and the terms into chunks. The digits
//! of some tiles of one side are kept; those of the other's are written tile by tile, and meet all that are kept. Every
//! line of a chunk has a scale of its own, so no sample's digits depend on another's.

use std::ops::Range;

use super::ends::Ends;
use super::panels::{Panels, WIDTH};
use crate::desc::{Fc, Write};
use crate::dispatch::Isa;
use crate::kernel::parallel::{self, Shared, part};
use crate::kernel::post::Post;
use crate::kernel::scratch;
use crate::simd::amx::{
    Amx, CLOSE, Exact, Greatest, LEFT, Product, RIGHT, ROWS, STEP, Scale, ZEROS, turn, write_digits,
};
use crate::simd::{Kernel, Simd};

/// Least samples: for fewer, the weights' digits take longer to write than products on vectors, and a step of samples is
/// not full.
const LEAST_SAMPLES: usize = 64;
/// The same for the forward pass where weights are [`FAR`]: vectors can ask for them ahead of time.
const LEAST_SAMPLES_FAR: usize = 96;
/// Weights that no cache holds; their gradient is written past the caches.
const FAR: usize = 1 << 23;
/// Least weights: fewer are in the caches, and their products soon done.
const LEAST_WEIGHTS: usize = 1 << 14;
/// Steps of a chunk: the digits of as many fill half of a first-level cache.
const STEPS: usize = 8;
/// Floats of kept digits, roughly: half a megabyte stays in the second-level cache.
const KEPT: usize = 1 << 17;
/// Tasks at most: each writes the kept digits for itself.
const TASKS: usize = 8;
/// Vectors of a step that a line takes part in, or that stand side by side in it.
const VECTORS: usize = STEP / ROWS;
/// Room for the sources of a step.
type Edge = [[[f32; ROWS]; VECTORS]; ROWS];
/// As the width of a [`Matrix`]'s panels: it has only one.
const PLAIN: usize = usize::MAX;

/// The unit, if this is the way for `n` samples.
pub(super) fn applies(isa: Isa, d: &Fc, n: usize) -> Option<Amx> {
    isa.matrix().filter(|_| n >= LEAST_SAMPLES && d.inputs * d.outputs >= LEAST_WEIGHTS)
}

/// The same for the forward pass.
pub(super) fn applies_forward(isa: Isa, d: &Fc, n: usize) -> Option<Amx> {
    applies(isa, d, n).filter(|_| n >= LEAST_SAMPLES_FAR || d.inputs * d.outputs < FAR)
}

/// See [`super::forward_then`]; the lengths are checked.
pub(super) fn forward(
    (isa, amx): (Isa, Amx),
    d: &Fc,
    n: usize,
    input: &[f32],
    weight: &[f32],
    post: Post<'_>,
    output: &mut [f32],
) {
    let product = Whole {
        amx,
        kept: Side { matrix: Matrix::plain(input, [n, d.inputs]), along: true, left: true },
        met: Side { matrix: Matrix::weights(weight, d), along: false, left: false },
        terms: d.inputs,
        sink: Outputs { output: Shared::new(output), samples: n, width: d.outputs, post },
    };
    product.run(isa);
}

/// See [`super::backward_data`]; the lengths are checked.
pub(super) fn backward_data(
    (isa, amx): (Isa, Amx),
    d: &Fc,
    n: usize,
    weight: &[f32],
    d_output: &[f32],
    d_input: &mut [f32],
    write: Write,
) {
    let product = Whole {
        amx,
        kept: Side { matrix: Matrix::plain(d_output, [n, d.outputs]), along: true, left: false },
        met: Side { matrix: Matrix::weights(weight, d), along: true, left: true },
        terms: d.outputs,
        sink: Inputs { d_input: Shared::new(d_input), samples: n, width: d.inputs, write },
    };
    product.run(isa);
}

/// See [`super::backward_weights`]; the lengths are checked.
pub(super) fn backward_weights(
    (isa, amx): (Isa, Amx),
    d: &Fc,
    n: usize,
    input: &[f32],
    d_output: &[f32],
    d_weight: &mut [f32],
) {
    let stream = d_weight.len() >= FAR && n <= STEPS * STEP && (d_weight.as_ptr() as usize).is_multiple_of(64);
    let product = Whole {
        amx,
        kept: Side { matrix: Matrix::plain(input, [n, d.inputs]), along: false, left: true },
        met: Side { matrix: Matrix::plain(d_output, [n, d.outputs]), along: false, left: false },
        terms: n,
        sink: Weights { d_weight: Shared::new(d_weight), d: *d, stream },
    };
    product.run(isa);
}

/// A matrix whose columns stand in panels of so many, one behind another: `[panel][row][column of the panel]`.
#[derive(Clone, Copy)]
struct Matrix<'a, const PANEL: usize> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
}

impl<'a> Matrix<'a, PLAIN> {
    fn plain(data: &'a [f32], [rows, columns]: [usize; 2]) -> Self {
        Matrix { data, rows, columns }
    }
}

impl<'a> Matrix<'a, WIDTH> {
    /// Weights: inputs by outputs.
    fn weights(data: &'a [f32], d: &Fc) -> Self {
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
struct Side<'a, const PANEL: usize> {
    matrix: Matrix<'a, PANEL>,
    /// Whether a line's terms are the columns of a row; else they are the rows of a column.
    along: bool,
    /// Whether lines are the rows of the sums; else they are the columns.
    left: bool,
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
    fn lines(&self) -> usize {
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
    fn write<S: Simd>(
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
        for (sources, to) in sources.iter().zip(to.chunks_exact_mut(RIGHT)) {
            let to = to.as_chunks_mut::<LEFT>().0;
            let rows = if turns { &mut turned[..] } else { &mut to[..] };
            for (index, row) in rows.iter_mut().enumerate().take(ROWS) {
                let up = if self.along { [ups[index]; ROWS] } else { ups };
                // SAFETY: all sources are vectors, and a row has room for three; a processor with a matrix unit has AVX-512.
                unsafe { write_digits(sources.of(index), up.as_ptr(), row.as_mut_ptr(), STEP / 4) };
            }
            if turns {
                turn(simd, &turned, to);
            }
        }
        scales.map(|scale| scale.down)
    }
}

/// A product of two sides.
struct Whole<'a, const PANEL: usize, W> {
    amx: Amx,
    /// The side whose digits are kept, and the one that meets them tile by tile.
    kept: Side<'a, PLAIN>,
    met: Side<'a, PANEL>,
    terms: usize,
    sink: W,
}

/// The product for some tiles of the side whose digits are not kept.
struct Task<'a, const PANEL: usize, W> {
    product: &'a Whole<'a, PANEL, W>,
    tiles: Range<usize>,
}

impl<const PANEL: usize, W: Sink + Sync> Whole<'_, PANEL, W> {
    /// Computes the product, in parallel if it is large enough.
    fn run(&self, isa: Isa) {
        let macs = self.terms * self.kept.lines() * self.met.lines();
        let tiles = self.met.lines().div_ceil(ROWS);
        let tasks = parallel::parts(TASKS, macs).min(tiles);
        parallel::for_each(tasks, macs, |index| isa.run(Task { product: self, tiles: part(tiles, tasks, 2, index) }));
    }
}

impl<const PANEL: usize, W: Sink> Kernel for Task<'_, PANEL, W> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Task { product: &Whole { amx, kept, met, terms, ref sink }, tiles } = self;
        let steps = terms.div_ceil(STEP);
        let chunks = steps.div_ceil(STEPS);
        let deepest = steps.div_ceil(chunks);
        let len = deepest * RIGHT;
        let kept_tiles = kept.lines().div_ceil(ROWS);
        let together = (KEPT / len).clamp(1, kept_tiles);
        let edges = STEPS * size_of::<Edge>() / size_of::<f32>();
        let mut buffer = scratch::lend(scratch::Use::Packed, (together + 1) * len + edges + together * ROWS);
        let (digits, rest) = buffer.split_at_mut(together * len);
        let (met_digits, rest) = rest.split_at_mut(len);
        let (edges, downs) = rest.split_at_mut(edges);
        let edges: &mut [Edge] = bytemuck::cast_slice_mut(edges);
        let downs = downs.as_chunks_mut::<ROWS>().0;
        let places: [u32; STEPS] = std::array::from_fn(|step| (step * RIGHT * size_of::<f32>()) as u32);
        let (mut exact, is_left) = (Exact::ZERO, kept.left);
        amx.with_rows(
            ROWS,
            #[inline(always)]
            |unit| {
                for first in (0..kept_tiles).step_by(together) {
                    let group = first..kept_tiles.min(first + together);
                    for chunk in 0..chunks {
                        let steps = part(steps, chunks, 1, chunk);
                        for ((tile, to), downs) in group.clone().zip(digits.chunks_exact_mut(len)).zip(&mut *downs) {
                            *downs = kept.write(simd, tile, &steps, edges, to);
                        }
                        let chunk = Chunk { is_first: chunk == 0, is_last: chunk + 1 == chunks };
                        for met_tile in tiles.clone() {
                            let met_downs = met.write(simd, met_tile, &steps, edges, met_digits);
                            for ((tile, digits), downs) in group.clone().zip(digits.chunks_exact(len)).zip(&*downs) {
                                let [kept, met] = [(tile, digits, downs), (met_tile, &*met_digits, &met_downs)];
                                let (left, right) = if is_left { (kept, met) } else { (met, kept) };
                                let product = Product {
                                    left: left.1.as_ptr(),
                                    left_apart: CLOSE,
                                    steps: places.as_ptr(),
                                    count: steps.len(),
                                    right: right.1.as_ptr(),
                                    sums: &raw mut exact,
                                };
                                // SAFETY: both sides hold so many steps.
                                unsafe { unit.multiply_places(&product) };
                                let sums = TileSums { exact: &exact, downs: [left.2, right.2] };
                                sink.write(simd, [left.0, right.0], &sums, &chunk);
                            }
                        }
                    }
                }
            },
        );
        sink.end(simd);
    }
}

/// Which of the chunks of terms some sums are of.
#[derive(Clone, Copy)]
struct Chunk {
    is_first: bool,
    is_last: bool,
}

/// The sums of two tiles.
struct TileSums<'a> {
    exact: &'a Exact,
    /// What those of each row, and of each column, are multiplied by.
    downs: [&'a [f32; ROWS]; 2],
}

impl TileSums<'_> {
    /// Those of a row.
    #[inline(always)]
    fn row<S: Simd>(&self, simd: S, row: usize) -> S::V {
        let [rows, columns] = self.downs;
        // SAFETY: as many as a vector has, where there is a matrix unit.
        simd.mul(self.exact.row(simd, row, rows[row]), unsafe { simd.load(columns.as_ptr()) })
    }
}

/// Where sums go.
trait Sink {
    /// Writes the sums of two tiles, whose indices these are, or adds them to those of earlier chunks.
    fn write<S: Simd>(&self, simd: S, at: [usize; 2], sums: &TileSums<'_>, chunk: &Chunk);

    /// Called after the last sums of a task.
    #[inline(always)]
    fn end<S: Simd>(&self, _: S) {}
}

/// Outputs, `[sample][output]`.
struct Outputs<'a> {
    output: Shared,
    samples: usize,
    /// Outputs of a sample.
    width: usize,
    post: Post<'a>,
}

impl Sink for Outputs<'_> {
    #[inline(always)]
    fn write<S: Simd>(&self, simd: S, [left, right]: [usize; 2], sums: &TileSums<'_>, chunk: &Chunk) {
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
struct Inputs {
    d_input: Shared,
    samples: usize,
    /// Inputs of a sample.
    width: usize,
    write: Write,
}

impl Sink for Inputs {
    #[inline(always)]
    fn write<S: Simd>(&self, simd: S, [left, right]: [usize; 2], sums: &TileSums<'_>, chunk: &Chunk) {
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
struct Weights {
    d_weight: Shared,
    d: Fc,
    /// Whether to write past the caches.
    stream: bool,
}

impl Sink for Weights {
    #[inline(always)]
    fn write<S: Simd>(&self, simd: S, [left, right]: [usize; 2], sums: &TileSums<'_>, chunk: &Chunk) {
        let panels = Panels::new(self.d.inputs, self.d.outputs);
        let panel = right * ROWS / WIDTH;
        let (outputs, first) = (panels.outputs(panel), right * ROWS % WIDTH);
        let lanes = (outputs.len() - first).min(ROWS);
        // Rows of whole panels stand on cache lines if the first one does.
        let stream = self.stream && outputs.len() == WIDTH;
        for (row, input) in (left * ROWS..self.d.inputs).enumerate().take(ROWS) {
            // SAFETY: the panel has a row for each input; those of these outputs are this task's alone.
            unsafe {
                let to = self.d_weight.at(panels.start(panel) + input * outputs.len() + first);
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
