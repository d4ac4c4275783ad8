//! Winograd's convolution (Lavin and Gray 2015, arXiv 1509.09308): 3 x 3 and 5 x 5 kernels at stride 1 with fewer products.
//!
//! Of a 3 x 3 kernel, a tile of 6 x 6 outputs takes 64 products per pair of channels instead of 324, one of 4 x 4 takes 36
//! instead of 144, one of 2 x 2 takes 16 instead of 36; of a 5 x 5 kernel, one of 4 x 4 takes 64 instead of 400, and one of
//! 2 x 2 takes 36 instead of 100.
//! Inputs and weights are transformed to *factors*; for each factor, a matrix product over the channels; then the
//! products of a tile are transformed to outputs. A task does all three for some tiles while they are in the cache.
//!
//! Maps and weights stay in their usual layout; vectors have a tile in each lane, or a channel where channels stand in
//! blocks. An output is the same sum in the same order wherever its tile falls, so neither tasks nor threads change a bit of
//! the result.
//!
//! Greatest error relative to the greatest output, measured against double precision with 64 and with 512 input
//! channels: 1e-6 and 2e-6 of the direct way, 3e-7 and 1e-6 of tiles of 2 x 2, 1.3e-6 and 2.8e-6 of tiles of 4 x 4, 8e-6
//! and 1.9e-5 of tiles of 6 x 6; of 5 x 5 kernels, 1.2e-6 and 3.2e-6 of the direct way, 1.1e-6 and 2.3e-6 of tiles of 2 x 2,
//! 7e-6 and 1e-5 of tiles of 4 x 4.

mod blocked;
mod cost;
mod input;
mod layout;
mod output;
mod points;
mod product;
mod shuffle;
#[cfg(test)]
mod tests;
mod weights;

use std::marker::PhantomData;

use self::cost::Coming;
use self::layout::{Layout, MAX_VECTORS};
use self::output::Finish;
use self::points::{F2, F2Of5, F4, F4Of5, F6, Points};
use self::product::Product;
use self::weights::{Bands, Place, Weights};
use crate::desc::{Conv, Pool, Window, Write};
use crate::dispatch::Isa;
use crate::kernel::conv::{direct, pass};
use crate::kernel::parallel::{self, Shared, part as cut};
use crate::kernel::post::Post;
use crate::kernel::scratch;
use crate::simd::{Kernel, Simd};

/// Outputs that one tile computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tile {
    /// 2 x 2.
    F2,
    /// 4 x 4.
    F4,
    /// 2 x 2, of kernels of 5 x 5.
    F2Of5,
    /// 4 x 4, of kernels of 5 x 5.
    F4Of5,
    /// 6 x 6.
    F6,
}

impl Tile {
    /// All of them.
    pub(super) const ALL: [Tile; 5] = [Tile::F2, Tile::F4, Tile::F2Of5, Tile::F4Of5, Tile::F6];
}

/// Floats of factors that a task should have: half of a second-level cache of one megabyte.
const FACTORS: usize = 1 << 17;
/// Floats of products at a time, which share that cache with the factors.
const PRODUCTS: usize = 3 << 15;
/// Floats of transformed weights at a time, where they are transformed for one task.
const BLOCK: usize = 5 << 16;
/// Tasks to aim at when there are few tiles.
const TASKS: usize = 4;
/// Tasks for each of which the weights are transformed anew.
const TRANSFORMS: usize = 4;
/// Least pairs of channels of tiles of 4 x 4 of 5 x 5 kernels: those of AlexNet's second convolution with 64 inputs.
const LEAST_PAIRS: usize = 64 * 192;
/// Least output channels of a task: for fewer, transforming the same inputs again would not pay.
const MIN_ROWS: usize = 56;

impl Tile {
    /// Products of a tile and a pair of channels.
    const fn products(self) -> usize {
        match self {
            Tile::F2 => F2::A * F2::A,
            Tile::F4 | Tile::F2Of5 => F4::A * F4::A,
            Tile::F6 | Tile::F4Of5 => F6::A * F6::A,
        }
    }

    /// Whether it loses more to rounding than the others: those of as many products do.
    const fn is_rough(self) -> bool {
        self.products() == F6::A * F6::A
    }

    /// Whether the convolution has enough pairs of channels: of kernels of 5 x 5, few take little time in any tiles, and go in
    /// those that lose the least to rounding.
    pub(super) const fn pays(self, d: &Conv) -> bool {
        !matches!(self, Tile::F4Of5) || d.input.c * d.output.c >= LEAST_PAIRS
    }

    /// Taps of a kernel in one direction.
    const fn taps(self) -> usize {
        match self {
            Tile::F2 | Tile::F4 | Tile::F6 => 3,
            Tile::F2Of5 | Tile::F4Of5 => 5,
        }
    }

    /// Whether tiles of this size can compute the convolution at all, and may: its kernel at stride 1, neither dilated nor
    /// in groups, not [`direct`](Conv::direct), padded by less than a kernel, both sides NCHW or in blocks. Without blocks of
    /// channels, outputs are wider than 4 for `F4` and than 6 for `F2`, and there are no others.
    pub const fn fits(self, d: &Conv) -> bool {
        let Window { kernel, stride, dilation, pad } = d.window;
        let ([kh, kw], taps) = (kernel, self.taps());
        let one = stride[0] == 1 && stride[1] == 1 && dilation[0] == 1 && dilation[1] == 1 && d.groups == 1;
        let padded = pad[0] < taps && pad[1] < taps && pad[2] < taps && pad[3] < taps;
        // The tiles of shorter lines would be too far apart for the shuffle that collects a vector of them.
        let wide = match self {
            Tile::F2 => d.output.w > 6,
            Tile::F4 => d.output.w > 4,
            Tile::F2Of5 | Tile::F4Of5 | Tile::F6 => false,
        };
        let order = if d.input.is_blocked() { d.output.is_blocked() } else { wide && !d.output.is_blocked() };
        kh == taps && kw == taps && one && padded && order && !d.is_batched() && !d.direct
    }
}

/// Weights transformed for a tile: [`transformed_len`] floats.
#[derive(Clone, Copy, Debug)]
pub struct Transformed<'a> {
    /// The tile.
    pub tile: Tile,
    /// What [`transform`] made.
    pub u: &'a [f32],
}

/// Most pairs of channels whose transformed weights are kept: those of more come from farther caches than it takes time to
/// make them anew.
const MOST_KEPT: usize = 64 * 64;
/// The tile for which transformed weights of a convolution are worth their memory, if any is: each sample that goes forward
/// alone is faster by them.
pub fn kept(d: &Conv) -> Option<Tile> {
    let small = d.input.is_blocked() && d.output.is_blocked() && d.input.c * d.output.c <= MOST_KEPT;
    let isa = Isa::active();
    let tile = small.then(|| cost::best(isa, d, 1, Coming::Kept)).flatten()?;
    serves(isa, d, 1, tile).then_some(tile)
}

/// Whether weights that are kept for `tile` are the fastest way for `n` samples. That they beat the direct way for one
/// sample, [`kept`] has seen to, and for more they do so the more clearly.
pub(super) fn serves(isa: Isa, d: &Conv, n: usize, tile: Tile) -> bool {
    let others = cost::best(isa, d, n, Coming::Straight);
    let wins =
        |other| cost::winograd(isa, d, n, tile, Coming::Kept) < cost::winograd(isa, d, n, other, Coming::Straight);
    others.is_none_or(wins) && !direct::beats_winograd(isa, d, n)
}

/// The tile whose way is the fastest for `n` samples, if any is.
fn best(isa: Isa, d: &Conv, n: usize, coming: Coming) -> Option<Tile> {
    cost::best(isa, d, n, coming).filter(|_| !direct::beats_winograd(isa, d, n))
}

/// Floats of the transformed weights.
pub const fn transformed_len(d: &Conv, tile: Tile) -> usize {
    Place::all(tile.products(), d.input.c, bands(d))
}

/// The bands of output channels that weights are transformed in for many tasks.
const fn bands(d: &Conv) -> Bands {
    if d.output.is_blocked() { Bands::blocks(d.output.c) } else { Bands::thin(d.output.c) }
}

/// Transforms weights, as [`super::forward`] takes them, to [`transformed_len`] floats for [`forward`].
///
/// # Panics
/// If a slice has another length, or [`Tile::fits`] is not met.
pub fn transform(d: &Conv, tile: Tile, weight: &[f32], u: &mut [f32]) {
    d.check();
    assert!(tile.fits(d), "{tile:?} does not fit {d:?}");
    assert_eq!(weight.len(), d.weight_len(), "length of the weights");
    transform_on(Isa::active(), tile, Weights::forward(d.output.c, d.input.c, weight), bands(d), u);
}

/// Convolves `n` samples with transformed weights: `output = input * weight`, and `post` after it.
///
/// `input` is `n x input`, `output` is `n x output`.
///
/// # Panics
/// If a slice has another length, or [`Tile::fits`] is not met.
pub fn forward(d: &Conv, tile: Tile, n: usize, input: &[f32], u: &[f32], post: Post<'_>, output: &mut [f32]) {
    let pass = pass::Forward { isa: Isa::active(), d, n, input, weight: &[], post, write: Write::Set };
    forward_kept(pass, Transformed { tile, u }, output);
}

/// As [`forward`]; the weights themselves are not read.
pub(super) fn forward_kept(pass: pass::Forward<'_>, Transformed { tile, u }: Transformed<'_>, output: &mut [f32]) {
    let pass::Forward { isa, d, n, input, post, write, .. } = pass;
    assert_eq!(u.len(), transformed_len(d, tile), "length of the transformed weights");
    run(isa, d, tile, n, input, Left::Transformed(u), Finish { post, write, pool: None }, output);
}

/// As [`super::forward`], transforming the weights on the way, or nothing where that is not the faster way.
pub(super) fn forward_once(pass: pass::Forward<'_>, output: &mut [f32]) -> Option<()> {
    let pass::Forward { isa, d, n, input, weight, post, write } = pass;
    let tile = best(isa, d, n, Coming::Straight)?;
    let weights = Weights::forward(d.output.c, d.input.c, weight);
    run(isa, d, tile, n, input, Left::Weights(weights), Finish { post, write, pool: None }, output);
    Some(())
}

/// As [`super::forward_pooled`], or nothing where that is not the faster way.
pub(super) fn forward_pooled(
    pass: pass::Forward<'_>,
    pool: &Pool,
    kept: Option<Transformed<'_>>,
    output: &mut [f32],
) -> Option<()> {
    let pass::Forward { isa, d, n, input, weight, post, write } = pass;
    if !d.output.is_blocked() {
        return None;
    }
    let (tile, left) = match kept.filter(|kept| serves(isa, d, n, kept.tile)) {
        Some(Transformed { tile, u }) => (tile, Left::Transformed(u)),
        None => (best(isa, d, n, Coming::Straight)?, Left::Weights(Weights::forward(d.output.c, d.input.c, weight))),
    };
    run(isa, d, tile, n, input, left, Finish { post, write, pool: Some(pool) }, output);
    Some(())
}

/// As [`super::backward_data`], or nothing where that is not the faster way: the convolution of the outputs' gradient
/// with the weights turned round, inputs and outputs exchanged.
pub(super) fn backward_data(pass: pass::BackwardData<'_>, d_input: &mut [f32]) -> Option<()> {
    let pass::BackwardData { isa, d, n, weight, d_output, write } = pass;
    let back = turned(d)?;
    let tile = best(isa, &back, n, Coming::Turned)?;
    let weights = Weights::backward(d.output.c, d.input.c, weight);
    run(
        isa,
        &back,
        tile,
        n,
        d_output,
        Left::Weights(weights),
        Finish { post: Post::new(), write, pool: None },
        d_input,
    );
    Some(())
}

/// The convolution from the gradient of the outputs to that of the inputs, of a square kernel at stride 1.
fn turned(d: &Conv) -> Option<Conv> {
    let mut pad = [0; 4];
    for (back, &pad) in pad.iter_mut().zip(&d.window.pad) {
        *back = (d.window.kernel[0] - 1).checked_sub(pad)?;
    }
    Some(Conv { input: d.output, output: d.input, window: Window { pad, ..d.window }, ..*d })
}

fn transform_on(isa: Isa, tile: Tile, weights: Weights<'_>, bands: Bands, u: &mut [f32]) {
    match tile {
        Tile::F2 => weights.transform::<F2>(isa, bands, u),
        Tile::F4 => weights.transform::<F4>(isa, bands, u),
        Tile::F2Of5 => weights.transform::<F2Of5>(isa, bands, u),
        Tile::F4Of5 => weights.transform::<F4Of5>(isa, bands, u),
        Tile::F6 => weights.transform::<F6>(isa, bands, u),
    }
}

#[expect(clippy::too_many_arguments)] // the parts of one convolution, and the instruction set
fn run(
    isa: Isa,
    d: &Conv,
    tile: Tile,
    n: usize,
    input: &[f32],
    left: Left<'_>,
    finish: Finish<'_>,
    output: &mut [f32],
) {
    d.check();
    assert!(tile.fits(d), "{tile:?} does not fit {d:?}");
    assert_eq!(Some(input.len()), d.input.len_of(n), "length of the input of {n} samples");
    let outputs = finish.pool.map_or(d.output, |pool| pool.output);
    assert_eq!(Some(output.len()), outputs.len_of(n), "length of the output of {n} samples");
    finish.post.check(d.output.c, output.len());
    if n == 0 {
        return;
    }
    match (tile, d.output.is_blocked()) {
        (Tile::F2, false) => all::<F2>(isa, d, n, input, left, finish, output),
        (Tile::F4, false) => all::<F4>(isa, d, n, input, left, finish, output),
        (Tile::F2, true) => blocked::all::<F2>(isa, d, n, input, left, finish, output),
        (Tile::F2Of5, _) => blocked::all::<F2Of5>(isa, d, n, input, left, finish, output),
        (Tile::F4Of5, _) => blocked::all::<F4Of5>(isa, d, n, input, left, finish, output),
        (Tile::F6, _) => blocked::all::<F6>(isa, d, n, input, left, finish, output),
        (Tile::F4, true) => blocked::all::<F4>(isa, d, n, input, left, finish, output),
    }
}

/// The left sides of the products.
#[derive(Clone, Copy)]
enum Left<'a> {
    /// Transformed beforehand.
    Transformed(&'a [f32]),
    /// To be transformed.
    Weights(Weights<'a>),
}

impl Left<'_> {
    /// The pieces that the steps of a band are cut into: what weights are transformed to has to stay in the cache until it
    /// is multiplied.
    fn pieces<P: Points>(&self, depth: usize, bands: Bands) -> usize {
        match self {
            Left::Transformed(_) => 1,
            Left::Weights(_) => Place::most(P::A * P::A, depth, bands).div_ceil(BLOCK).min(depth),
        }
    }
}

/// Cuts the work into tasks and runs them.
fn all<P: Points>(isa: Isa, d: &Conv, n: usize, input: &[f32], left: Left<'_>, finish: Finish<'_>, output: &mut [f32]) {
    let lanes = isa.tile().0;
    let tiles = n * d.output.h.div_ceil(P::M) * d.output.w.div_ceil(P::M);
    let panel = P::A * P::A * d.input.c * 2 * lanes;
    let most = (FACTORS / panel).clamp(1, MAX_VECTORS / 2);
    let macs = P::A * P::A * tiles * d.input.c * d.output.c;
    let tile_parts = match tiles.div_ceil(most * 2 * lanes) {
        1 => 1,
        parts => parallel::even(parts, macs),
    };
    let mut bands = Bands::thin(d.output.c);
    let mut kept = None;
    let left = match left {
        // Weights of many tasks are transformed once. For few, each block is when its turn comes: it never leaves the
        // cache, while all of them together would.
        Left::Weights(weights) if tile_parts > TRANSFORMS => {
            let u = kept.insert(scratch::lend(scratch::Use::Pass, Place::all(P::A * P::A, d.input.c, bands)));
            weights.transform::<P>(isa, bands, u);
            Left::Transformed(u)
        }
        Left::Weights(_) => {
            bands = Bands::blocks(d.output.c);
            left
        }
        Left::Transformed(_) => left,
    };
    let row_parts = parallel::parts(TASKS, macs).div_ceil(tile_parts).min(d.output.c / MIN_ROWS);
    let row_parts = row_parts.clamp(1, bands.count());
    let output = Shared::new(output);
    parallel::for_each(tile_parts * row_parts, macs, |index| {
        let tiles = cut(tiles, tile_parts, 2 * lanes, index / row_parts);
        let part = cut(bands.count(), row_parts, 1, index % row_parts);
        if !tiles.is_empty() {
            isa.run(Task::<P> { d, input, left, finish, output, tiles, bands, part, points: PhantomData });
        }
    });
}

/// Some tiles of some bands of output channels.
struct Task<'a, P> {
    d: &'a Conv,
    input: &'a [f32],
    left: Left<'a>,
    finish: Finish<'a>,
    output: Shared,
    tiles: std::ops::Range<usize>,
    bands: Bands,
    part: std::ops::Range<usize>,
    points: PhantomData<P>,
}

impl<P: Points> Kernel for Task<'_, P> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Task { d, input, left, finish, output, tiles, bands, part, points } = self;
        let group = (PRODUCTS / (P::A * P::A * tiles.len().next_multiple_of(S::LANES) * bands.most())).max(1);
        let group = group.min(part.len());
        let mut layout = Layout::new::<S, P>(simd, d, tiles, group * bands.most());
        let lens = layout.lens::<P>();
        let pieces = left.pieces::<P>(d.input.c, bands);
        let band_len = match left {
            Left::Transformed(_) => 0,
            Left::Weights(_) => Place::most(P::A * P::A, d.input.c.div_ceil(pieces), bands),
        };
        let mut buffer = scratch::lend(scratch::Use::Task, lens.iter().sum::<usize>() + band_len);
        let (factors, rest) = buffer.split_at_mut(lens[1]);
        let (products, rest) = rest.split_at_mut(lens[2]);
        let (stage, transformed) = rest.split_at_mut(lens[0]);
        simd.call(input::Transform::<P> { d, layout: &layout, input, stage, factors, points });
        for first in part.clone().step_by(group) {
            let last = (first + group).min(part.end);
            let channels = bands.rows(first).start..bands.rows(last - 1).end;
            layout.rows = channels.len();
            for band in first..last {
                let rows = bands.rows(band);
                let place = Place::of(P::A * P::A, d.input.c, bands, band);
                let row = rows.start - channels.start;
                for steps in (0..pieces).map(|piece| cut(d.input.c, pieces, 1, piece)) {
                    let (u, apart) = match left {
                        Left::Transformed(u) => (&u[place.first..], place.factor),
                        Left::Weights(weights) => {
                            let (rows, steps, lines) = (rows.clone(), steps.clone(), 0..P::A);
                            let u = &mut *transformed;
                            let apart = Place::factor(rows.len(), steps.len());
                            simd.call(weights::Band::<P> { weights, rows, steps, lines, u, points });
                            (&*transformed, apart)
                        }
                    };
                    for factor in 0..P::A * P::A {
                        let a = &u[factor * apart..];
                        multiply(simd, &layout, factor, &steps, a, row, rows.len(), factors, products);
                    }
                }
            }
            simd.call(output::Transform::<P> { d, layout: &layout, products, channels, finish, output, points });
        }
    }
}

/// The product of a band of rows and all panels, for some steps of one factor.
#[inline(always)]
#[expect(clippy::too_many_arguments)] // both sides, the result and its place
fn multiply<S: Simd>(
    simd: S,
    layout: &Layout,
    factor: usize,
    steps: &std::ops::Range<usize>,
    a: &[f32],
    row: usize,
    rows: usize,
    factors: &[f32],
    products: &mut [f32],
) {
    let (depth, vectors) = (layout.channels, layout.vectors);
    let a = &a[..rows * steps.len()];
    let b = &factors[factor * layout.factor..][..depth * vectors * S::LANES];
    let c = &mut products[factor * layout.product..][..layout.rows * vectors * S::LANES];
    assert!(row + rows <= layout.rows && steps.end <= depth, "rows of products, and steps");
    let full = vectors / 2 * 2;
    let tiles = rows.div_ceil(S::MR);
    for (skip, vectors, width) in [(0, full, 2), (full, vectors - full, 1)].into_iter().filter(|part| part.1 > 0) {
        for tile in 0..tiles {
            let rows_of = cut(rows, tiles, 1, tile);
            let b = b[(skip * depth + steps.start * width) * S::LANES..].as_ptr();
            let c = c[(skip * layout.rows + (row + rows_of.start) * width) * S::LANES..].as_mut_ptr();
            let a = a[rows_of.start..].as_ptr();
            let [b_panel, c_panel] = [depth, layout.rows].map(|rows| 2 * rows * S::LANES);
            let (depth, resumed) = (steps.len(), steps.start > 0);
            let product = Product { a, a_step: rows, b, b_panel, depth, vectors, c, c_panel, resumed };
            // SAFETY: the three slices hold all rows, steps and vectors.
            unsafe { product::compute(simd, rows_of.len(), product) };
        }
    }
}
