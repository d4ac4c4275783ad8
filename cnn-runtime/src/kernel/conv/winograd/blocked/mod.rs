//! Maps with channels in blocks: a channel in each lane, from the transform of the inputs to that of the products.
//!
//! The products have the direct way's tile: factors of the inputs are broadcast, those of the weights are vectors of output
//! channels. So nothing is shuffled, and lines of any length will do.

pub(super) mod few;
mod pieces;
mod transform;

use std::marker::PhantomData;
use std::ops::Range;

use self::few::Few;
use self::pieces::{Piece, Pieces};
use self::transform::{Inputs, Outputs};
use super::output::Finish;
use super::points::Points;
use super::weights::{Band, Bands, Place, Weights};
use super::{Left, TRANSFORMS};
use crate::desc::{Conv, Map, Order, Pool};
use crate::dispatch::Isa;
use crate::kernel::blocks::Blocks;
use crate::kernel::conv::finish;
use crate::kernel::conv::tile::{Channels, Steps, Tile, compute, most_positions};
use crate::kernel::conv::whole::Whole;
use crate::kernel::parallel::{self, Shared, part as cut};
use crate::kernel::scratch;
use crate::simd::{Kernel, Simd};

/// Floats of factors and products that a task should have if all of them are to stay in a second-level cache of two
/// megabytes, with room for weights.
const HELD: usize = 1 << 18;
/// Floats of factors and products that a task should have if they need not.
const SPREAD: usize = 1 << 22;
/// Pairs of channels from which weights are more to move than factors and products.
const SPREAD_PAIRS: usize = 160 * 160;
/// Floats between factors, so that the same place in each of them falls into another set of the cache.
const GAP: usize = 32;

/// How a task goes about its work.
///
/// Weights of few channels stay in the second-level cache, or come back to it soon: then a task has few tiles, and does a
/// band of output channels after the other. Weights of many pass by once, in [`Pieces`]: then a task has as many tiles as
/// possible, and all its products wait for the last piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// Most tiles of a task, whole register tiles.
    pub tiles: usize,
    /// Whether weights pass by once.
    pub spread: bool,
}

impl Way {
    /// The way for a tile of so many factors, register tiles of `positions`.
    pub(super) fn of(factors: usize, d: &Conv, positions: usize) -> Self {
        let (inputs, outputs) = (d.input.c, d.output.c);
        let spread = inputs * outputs >= SPREAD_PAIRS;
        let tiles =
            if spread { SPREAD / factors / (inputs + outputs) } else { HELD / factors / (inputs + Blocks::MOST) };
        Way { tiles: tiles.next_multiple_of(positions), spread }
    }
}

/// Cuts the work into tasks and runs them.
pub(super) fn all<P: Points>(
    isa: Isa,
    d: &Conv,
    n: usize,
    input: &[f32],
    left: Left<'_>,
    finish: Finish<'_>,
    output: &mut [f32],
) {
    let (factors, positions) = (P::A * P::A, most_positions(isa.tile(), 2));
    let grid = [d.output.h.div_ceil(P::M), d.output.w.div_ceil(P::M)];
    let tiles = n * grid[0] * grid[1];
    // Tiles hold whole windows of 2 x 2; else a task has whole maps.
    let in_tiles = |pool: &&Pool| pool.window.is_two_by_two() && pool.output.is_blocked();
    let whole = finish.pool.filter(|pool| !in_tiles(pool)).map(Whole::new);
    let unit = if whole.is_some() { grid[0] * grid[1] } else { 1 };
    let macs = factors * tiles * d.input.c * d.output.c;
    let way = Way::of(factors, d, positions);
    let bands = Bands::blocks(d.output.c);
    let parts = tiles.div_ceil((way.tiles / unit * unit).max(unit));
    let shared = parallel::even(parts, macs);
    // Threads that share tiles all transform weights, those that share output channels all transform inputs: the less.
    let few = tiles < d.output.c || tiles / unit < shared;
    let (tile_parts, row_parts) = if parts == 1 && few && bands.count() > 1 {
        (1, shared.min(bands.count()))
    } else {
        (shared.min(tiles / unit), 1)
    };
    let mut kept = None;
    let left = match left {
        // Weights of many tasks are transformed once; for few, each block when its turn comes, so that it stays in the
        // cache.
        Left::Weights(weights) if tile_parts > TRANSFORMS => {
            let u = kept.insert(scratch::lend(scratch::Use::Pass, Place::all(factors, d.input.c, bands)));
            weights.transform::<P>(isa, bands, u);
            Left::Transformed(u)
        }
        left => left,
    };
    // Of all tiles, so that threads do not change what is computed.
    let few = match left {
        Left::Weights(weights) if !weights.turned && few::applies(isa.tile().0, P::TAPS, factors, tiles) => {
            Some(weights)
        }
        _ => None,
    };
    let output = Shared::new(output);
    parallel::for_each(tile_parts * row_parts, macs, |index| {
        let tiles = cut(tiles, tile_parts, unit, index / row_parts);
        let (part, whole) = (cut(bands.count(), row_parts, 1, index % row_parts), whole.as_ref());
        if !tiles.is_empty() {
            isa.run(Task::<P> {
                d,
                way,
                grid,
                input,
                left,
                few,
                finish,
                whole,
                output,
                tiles,
                bands,
                part,
                points: PhantomData,
            });
        }
    });
}

/// Some tiles of some bands of output channels.
struct Task<'a, P> {
    d: &'a Conv,
    way: Way,
    /// Lines of tiles, and tiles in a line, of one map.
    grid: [usize; 2],
    input: &'a [f32],
    left: Left<'a>,
    /// The weights, if tiles are few.
    few: Option<Weights<'a>>,
    finish: Finish<'a>,
    /// What takes the largest of whole maps.
    whole: Option<&'a Whole<'a>>,
    output: Shared,
    tiles: Range<usize>,
    bands: Bands,
    part: Range<usize>,
    points: PhantomData<P>,
}

impl<P: Points> Kernel for Task<'_, P> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Task { d, way, grid, input, left, few, ref tiles, bands, ref part, points, .. } = self;
        let (factors, depth, count) = (P::A * P::A, d.input.c, tiles.len());
        let group = if way.spread { part.len() } else { 1 };
        let pieces = Pieces::of::<P>(way, left, depth, count, bands);
        let weights_len = match left {
            Left::Transformed(_) => 0,
            Left::Weights(_) if few.is_some() => 0,
            Left::Weights(_) => Place::most(pieces.most_factors(), pieces.most_steps(), bands),
        };
        let factor_len = depth * count + GAP;
        let product_len = group * Blocks::MOST * count + GAP;
        let maps_len = self.whole.map_or(0, |whole| whole.len(1));
        let lens = factors * (factor_len + product_len) + weights_len + maps_len;
        let mut buffer = scratch::lend(scratch::Use::Task, lens);
        let (v, rest) = buffer.split_at_mut(factors * factor_len);
        let (products, rest) = rest.split_at_mut(factors * product_len);
        let (transformed, maps) = rest.split_at_mut(weights_len);
        simd.call(Inputs::<P> { d, grid, tiles: tiles.clone(), input, v: &mut *v, factor_len, points });
        let inputs = Factors { v, len: factor_len };
        for first in part.clone().step_by(group) {
            let together = first..(first + group).min(part.end);
            let begin = |band: usize| (band - first) * Blocks::MOST * count;
            if let Some(weights) = few {
                for band in together.clone() {
                    let (rows, products) = (bands.rows(band), &mut products[begin(band)..]);
                    Few::<P> { weights, rows, inputs, tiles: count, products, product_len, points }.multiply(simd);
                }
            } else {
                for piece in pieces.iter() {
                    for band in together.clone() {
                        let u = self.weights(simd, band, piece.clone(), transformed);
                        let products = &mut products[piece.factors.start * product_len + begin(band)..];
                        inputs.multiply(simd, &piece, &u, products, product_len, count);
                    }
                }
            }
            for band in together {
                let products = &products[begin(band)..];
                match self.whole {
                    Some(whole) => self.write_largest(simd, band, products, product_len, whole, maps),
                    None => self.write(simd, band, products, product_len),
                }
            }
        }
    }
}

impl<P: Points> Task<'_, P> {
    /// The weights of a band for a piece.
    #[inline(always)]
    fn weights<'a, S: Simd>(&'a self, simd: S, band: usize, piece: Piece, transformed: &'a mut [f32]) -> Factored<'a> {
        let Task { d, left, bands, ref part, points, .. } = *self;
        let (rows, depth) = (bands.rows(band), d.input.c);
        let (len, Piece { factors, steps }) = (rows.len(), piece);
        match left {
            Left::Transformed(u) => {
                let place = Place::of(P::A * P::A, depth, bands, band);
                let u = &u[place.first + factors.start * place.factor..];
                Factored { u, rows: len, factor: place.factor, later: None }
            }
            Left::Weights(weights) => {
                // The same steps of the next band, or what the first one has to make next, or else what stands behind them
                // all: the next layer's.
                let first = bands.rows(part.start);
                let next = match bands.rows((band + 1).min(part.end - 1)) {
                    next if next.start == rows.end => rows.end * depth + steps.start * next.len(),
                    _ if steps.end < depth => first.start * depth + steps.end * first.len(),
                    _ if factors.end < P::A * P::A => first.start * depth,
                    _ => rows.end * depth,
                };
                let taps = P::TAPS * P::TAPS;
                let from = weights.data.as_ptr().wrapping_add(next * taps);
                let later = (!weights.turned).then_some(Later { from, floats: len * steps.len() * taps });
                let factor = Place::factor(len, steps.len());
                let lines = factors.start / P::A..factors.end / P::A;
                simd.call(Band::<P> { weights, rows, steps, lines, u: &mut *transformed, points });
                Factored { u: transformed, rows: len, factor, later }
            }
        }
    }

    /// Transforms the products of a band and writes them.
    #[inline(always)]
    fn write<S: Simd>(&self, simd: S, band: usize, products: &[f32], product_len: usize) {
        let Task { d, ref finish, output, ref tiles, bands, .. } = *self;
        let rows = bands.rows(band);
        let outputs = finish.pool.map_or(d.output, |pool| pool.output);
        let first = rows.start * outputs.plane();
        let residual = finish.post.residual().map(|residual| residual.as_ptr().wrapping_add(first));
        // SAFETY: these channels' maps are in the shared slice; a residual is as long as it.
        let to = unsafe { output.at(first) };
        let end = finish::Finish::of(&finish.post, rows.clone(), finish.write, to, residual, outputs.plane());
        let (part, rows) = (0..tiles.len(), rows.len());
        if finish.pool.is_some() {
            self.put::<S, true>(simd, outputs, part, rows, (products, product_len), end);
        } else {
            self.put::<S, false>(simd, outputs, part, rows, (products, product_len), end);
        }
    }

    /// Transforms the products of a part of the tiles and so many rows, and writes them to a map.
    #[inline(always)]
    fn put<S: Simd, const POOLED: bool>(
        &self,
        simd: S,
        outputs: Map,
        part: Range<usize>,
        rows: usize,
        (products, product_len): (&[f32], usize),
        finish: finish::Finish,
    ) {
        let Task { grid, ref tiles, points, .. } = *self;
        let tiles = tiles.clone();
        simd.call(Outputs::<P, POOLED> { outputs, grid, tiles, part, rows, products, product_len, finish, points });
    }

    /// Transforms the products of a band, and writes the largest outputs alone; those of one sample at a time are in `maps`.
    #[inline(always)]
    fn write_largest<S: Simd>(
        &self,
        simd: S,
        band: usize,
        products: &[f32],
        product_len: usize,
        whole: &Whole<'_>,
        maps: &mut [f32],
    ) {
        let Task { d, grid, ref finish, output, ref tiles, bands, .. } = *self;
        let (channels, of_sample) = (bands.rows(band), grid[0] * grid[1]);
        let (outputs, rows) = (Map { c: Blocks::MOST, ..d.output }, channels.len());
        for first in (0..tiles.len()).step_by(of_sample) {
            let sample = (tiles.start + first) / of_sample;
            let end = whole.finish(&finish.post, channels.clone(), sample, maps);
            self.put::<S, false>(simd, outputs, first..first + of_sample, rows, (products, product_len), end);
            // SAFETY: a task has these channels of its samples to itself.
            unsafe { whole.write(simd, sample..sample + 1, &channels, maps, output) };
        }
    }
}

/// The factors of a band's weights.
struct Factored<'a> {
    u: &'a [f32],
    /// Output channels.
    rows: usize,
    /// Distance between factors.
    factor: usize,
    /// What is brought nearer while all are multiplied; else each next factor is.
    later: Option<Later>,
}

/// What is brought nearer while something else is at work. Nothing is read, so it may be anywhere.
#[derive(Clone, Copy)]
struct Later {
    from: *const f32,
    floats: usize,
}

/// The factors of the inputs of some tiles.
#[derive(Clone, Copy)]
struct Factors<'a> {
    /// `[factor][block][tile][channel]`.
    v: &'a [f32],
    /// Distance between factors.
    len: usize,
}

impl Factors<'_> {
    /// The products of a piece, of `count` tiles each, with a band's weights: `[factor][pair of vectors][tile]`.
    #[inline(always)]
    fn multiply<S: Simd>(
        &self,
        simd: S,
        piece: &Piece,
        weights: &Factored<'_>,
        products: &mut [f32],
        product_len: usize,
        count: usize,
    ) {
        let Factored { u, rows, factor, later } = *weights;
        let Piece { ref factors, ref steps } = *piece;
        let all = factors.len();
        for (index, v) in self.v.chunks(self.len).skip(factors.start).take(all).enumerate() {
            let later = match later {
                Some(Later { from, floats }) => {
                    Later { from: from.wrapping_add(floats / all * index), floats: floats / all }
                }
                None => {
                    let next = u.get((index + 1) * factor..).unwrap_or_default();
                    Later { from: next.as_ptr(), floats: next.len().min(factor) }
                }
            };
            let u = &u[index * factor..][..rows * steps.len()];
            let v = &v[steps.start * count..];
            let products =
                Products { sums: &mut products[index * product_len..][..rows * count], resumed: steps.start > 0 };
            multiply(simd, rows, u, v, products, Channels::new(steps.len(), count), later);
        }
    }
}

/// The products of one factor.
struct Products<'a> {
    /// `[pair of vectors][tile]`.
    sums: &'a mut [f32],
    /// Whether those of earlier steps stand there.
    resumed: bool,
}

/// The products of one factor, two vectors of rows at a time.
#[inline(always)]
fn multiply<S: Simd>(
    simd: S,
    rows: usize,
    u: &[f32],
    v: &[f32],
    products: Products<'_>,
    steps: Channels,
    later: Later,
) {
    let Products { sums: products, resumed } = products;
    let count = products.len() / rows;
    assert!(u.len() == rows * steps.len() && v.len() >= steps.len() * count, "all weights and inputs of a factor");
    let parts = count.div_ceil(most_positions((S::LANES, S::MR), 2));
    let later_step = later.floats / (parts * steps.len());
    for begin in (0..rows).step_by(2 * S::LANES) {
        let vectors = ((rows - begin) / S::LANES).min(2);
        for index in 0..parts {
            let tiles = cut(count, parts, 1, index);
            let sums = &mut products[begin * count + tiles.start * vectors * S::LANES..];
            let tile = Tile {
                weights: u[begin..].as_ptr(),
                weight_step: rows,
                weight_pair: 0,
                input: v[tiles.start * Order::BLOCK..].as_ptr(),
                steps,
                line: 0,
                later: later.from.wrapping_add(index * steps.len() * later_step),
                later_step,
                ends: None,
                sums: sums[..tiles.len() * vectors * S::LANES].as_mut_ptr(),
                resumed,
            };
            // SAFETY: just measured: `v` holds all blocks of all tiles, `u` whole vectors for each step; there is room
            // for the sums.
            unsafe { compute::<S, { Order::BLOCK }, _>(simd, 1, tiles.len(), vectors, tile) };
        }
    }
}
