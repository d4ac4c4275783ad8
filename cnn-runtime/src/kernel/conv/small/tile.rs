//! Tiles of outputs of some channels, held in registers over all taps.

#![allow(clippy::needless_range_loop)] // rows and vectors of the tile are counted as in the formula

use std::mem::MaybeUninit;

use crate::kernel::post::Post;
use crate::simd::{Kernel, Simd};

/// Most rows of a tile: with more, few vectors are left for each.
pub(super) const ROWS: usize = 8;

/// Most vectors of a tile.
const VECTORS: usize = 4;

/// Rows that a tile has at most on an instruction set.
pub(super) const fn most_rows<S: Simd>(_: S) -> usize {
    if S::LANES == 16 { ROWS } else { 6 }
}

/// Vectors that a tile of so many rows has at most: with the inputs and one weight, all fit in the registers.
pub(super) const fn most_vectors<S: Simd>(rows: usize) -> usize {
    let registers = if S::LANES == 16 { 32 } else { 16 };
    let vectors = (registers - 1) / (rows + 1);
    if vectors < VECTORS { vectors } else { VECTORS }
}

/// Outputs of a row that a tile of so many rows has at most.
pub(super) const fn widest<S: Simd>(_: S, rows: usize) -> usize {
    most_vectors::<S>(rows) * S::LANES
}

/// The taps of an output, and how far from one to the next: distances are those of channels, of vertical taps and of
/// horizontal ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    /// Channels that are read.
    pub channels: usize,
    /// Taps of each, in both directions.
    pub kernel: [usize; 2],
    /// Distances between inputs.
    pub input: [usize; 3],
    /// Distances between weights.
    pub weight: [usize; 3],
}

impl Reach {
    /// Taps of all channels.
    pub(super) const fn taps(&self) -> usize {
        self.channels * self.kernel[0] * self.kernel[1]
    }

    /// How far the input of each tap is from that of the first, tap by tap: counted, as divisions would take long.
    #[inline(always)]
    pub(super) fn offsets(&self) -> impl FnMut() -> usize {
        let Reach { kernel: [kh, kw], input: [channel, down, across], .. } = *self;
        let (mut first, mut line, mut y, mut x) = (0, 0, 0, 0);
        move || {
            if x == kw {
                (x, y, line) = (0, y + 1, line + down);
            }
            if y == kh {
                (y, first) = (0, first + channel);
                line = first;
            }
            x += 1;
            line + (x - 1) * across
        }
    }
}

/// The outputs of some channels at consecutive positions: what tiles are cut from.
pub(super) struct Strip {
    /// What each reads.
    pub reach: Reach,
    /// The input of the first tap of the first output; those of the next outputs follow it.
    pub input: *const f32,
    /// The weight of the first tap and row; rows are neighbours.
    pub weight: *const f32,
    /// What is done to the sums.
    pub finish: Finish,
    /// The first output.
    pub output: *mut f32,
    /// What is added to the first output, if anything is.
    pub residual: Option<*const f32>,
    /// Distance between the outputs of consecutive rows.
    pub plane: usize,
    /// Positions.
    pub outputs: usize,
}

/// A post for the rows of a strip.
pub(super) struct Finish {
    factors: [f32; ROWS],
    offsets: [f32; ROWS],
    /// Whether a factor is another than one.
    scaled: bool,
    clamp: (f32, f32),
}

impl Finish {
    /// What `post` does to the channels from `first` on.
    #[inline(always)]
    pub(super) fn of(post: &Post<'_>, first: usize, rows: usize) -> Self {
        let (factors, offsets) = post.affines::<ROWS>(first..first + rows);
        Finish { factors, offsets, scaled: factors != [1.0; ROWS], clamp: post.clamp() }
    }
}

/// Computes a strip of `rows` rows: as few tiles as the registers allow, one vector wider the first of them.
///
/// # Safety
/// `1 <= rows <= most_rows`, and there is an output. The stage holds the taps of the outputs and a vector behind them,
/// there is a weight for each tap and row, and the outputs can be written and nobody else does; the residual can be read
/// where outputs are written.
pub(super) unsafe fn compute<S: Simd>(simd: S, rows: usize, strip: &Strip) {
    let vectors = strip.outputs.div_ceil(S::LANES);
    let tiles = vectors.div_ceil(most_vectors::<S>(rows));
    let width = vectors.div_ceil(tiles);
    let wide = vectors - tiles * (width - 1);
    call(simd, rows, width, Run { strip, first: 0, tiles: wide });
    if wide < tiles {
        call(simd, rows, width - 1, Run { strip, first: wide * width, tiles: tiles - wide });
    }
}

/// Consecutive tiles of one size.
struct Run<'a> {
    strip: &'a Strip,
    /// The first vector.
    first: usize,
    tiles: usize,
}

/// Enters the instruction set with sizes known to the compiler.
fn call<S: Simd>(simd: S, rows: usize, vectors: usize, run: Run<'_>) {
    macro_rules! dispatch {
        ($($r:literal)+) => {
            match (rows, vectors) {
                $(($r, 1) => sized::<S, $r, 1>(simd, run),
                ($r, 2) => sized::<S, $r, 2>(simd, run),
                ($r, 3) => sized::<S, $r, 3>(simd, run),
                ($r, 4) => sized::<S, $r, 4>(simd, run),)+
                _ => unreachable!("a tile of {rows} rows by {vectors} vectors"),
            }
        };
    }
    dispatch!(1 2 3 4 5 6 7 8);
}

/// Leaves out sizes that are never asked for.
#[inline(always)]
fn sized<S: Simd, const R: usize, const V: usize>(simd: S, run: Run<'_>) {
    if const { V <= most_vectors::<S>(R) && (S::LANES == 16 || R <= 6) } {
        simd.call(Sized::<R, V>(run));
    } else {
        unreachable!("a tile of {R} rows by {V} vectors");
    }
}

/// Tiles of a size known to the compiler. Made by [`compute`] alone, under its conditions.
struct Sized<'a, const R: usize, const V: usize>(Run<'a>);

impl<const R: usize, const V: usize> Kernel for Sized<'_, R, V> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Run { strip, first, tiles } = self.0;
        let wide = V * S::LANES;
        // Left as they are: clearing them costs as much as a small tile.
        let mut outputs = MaybeUninit::<[f32; ROWS * VECTORS * 16]>::uninit();
        let mut added = outputs;
        let (outputs, added) = (outputs.as_mut_ptr().cast::<f32>(), added.as_mut_ptr().cast::<f32>());
        for at in (first * S::LANES..).step_by(wide).take(tiles) {
            let count = wide.min(strip.outputs - at);
            // SAFETY: `compute` was promised all that is read and written. The last tile may be wider than the outputs
            // that are left: it is then computed in buffers, which are large enough for any tile.
            unsafe {
                let input = strip.input.add(at);
                let target = Target {
                    output: strip.output.add(at),
                    residual: strip.residual.map(|residual| residual.add(at)),
                    plane: strip.plane,
                };
                if count == wide {
                    tile::<S, R, V>(simd, strip, input, target);
                } else {
                    if let Some(residual) = target.residual {
                        // What lies beyond the outputs is added to lanes that nobody reads.
                        added.write_bytes(0, R * wide);
                        copy(R, count, (residual, strip.plane), (added, wide));
                    }
                    let residual = target.residual.map(|_| added.cast_const());
                    let buffer = Target { output: outputs, residual, plane: wide };
                    tile::<S, R, V>(simd, strip, input, buffer);
                    copy(R, count, (outputs, wide), (target.output, strip.plane));
                }
            }
        }
    }
}

/// Copies rows of `count` floats.
///
/// # Safety
/// At their distances, all rows can be read and written.
#[inline(always)]
unsafe fn copy(rows: usize, count: usize, from: (*const f32, usize), to: (*mut f32, usize)) {
    for row in 0..rows {
        // SAFETY: the caller's promise.
        unsafe { from.0.add(row * from.1).copy_to_nonoverlapping(to.0.add(row * to.1), count) };
    }
}

/// Where a tile is written, and where stands what is added to it.
struct Target {
    output: *mut f32,
    residual: Option<*const f32>,
    plane: usize,
}

/// Sums of a tile: of some rows, lines and vectors of a line.
pub(super) type Sums<S, const R: usize, const L: usize, const V: usize> = [[[<S as Simd>::V; V]; L]; R];

/// Computes one tile. Each loop over it is short enough to be unrolled, or the tile would move to memory.
///
/// # Safety
/// As for [`compute`], for whole vectors.
#[inline(always)]
unsafe fn tile<S: Simd, const R: usize, const V: usize>(simd: S, strip: &Strip, input: *const f32, target: Target) {
    let Strip { reach, weight, ref finish, .. } = *strip;
    // SAFETY: the caller's promise.
    let mut sums: Sums<S, R, 1, V> = unsafe { accumulate(simd, reach, weight, [input], finish) };
    if let Some(residual) = target.residual {
        for r in 0..R {
            for v in 0..V {
                // SAFETY: the caller's promise.
                let residual = unsafe { simd.load(residual.add(r * target.plane + v * S::LANES)) };
                sums[r][0][v] = simd.add(sums[r][0][v], residual);
            }
        }
    }
    finish.clamp(simd, &mut sums);
    for r in 0..R {
        for v in 0..V {
            // SAFETY: the caller's promise.
            unsafe { simd.store(target.output.add(r * target.plane + v * S::LANES), sums[r][0][v]) };
        }
    }
}

impl Finish {
    /// Applies the activation.
    #[inline(always)]
    pub(super) fn clamp<S: Simd, const R: usize, const L: usize, const V: usize>(
        &self,
        simd: S,
        sums: &mut Sums<S, R, L, V>,
    ) {
        let (low, high) = (simd.splat(self.clamp.0), simd.splat(self.clamp.1));
        for r in 0..R {
            for l in 0..L {
                for v in 0..V {
                    sums[r][l][v] = simd.clamp(sums[r][l][v], low, high);
                }
            }
        }
    }
}

/// The products of a tile's taps, scaled and shifted. `inputs` are those of the first tap and output of each line.
///
/// # Safety
/// The inputs of all taps can be read for whole vectors of outputs, and a weight for each tap and row.
#[inline(always)]
pub(super) unsafe fn accumulate<S: Simd, const R: usize, const L: usize, const V: usize>(
    simd: S,
    reach: Reach,
    weight: *const f32,
    inputs: [*const f32; L],
    finish: &Finish,
) -> Sums<S, R, L, V> {
    let Finish { factors, offsets, scaled, .. } = finish;
    let mut sums = [[[simd.splat(0.0); V]; L]; R];
    for r in 0..R {
        let start = simd.splat(if *scaled { 0.0 } else { offsets[r] });
        for l in 0..L {
            for v in 0..V {
                sums[r][l][v] = start;
            }
        }
    }
    let Reach { channels, kernel, input: [channel, down, across], weight: [of_channel, of_row, step] } = reach;
    let [kernel_h, kernel_w] = kernel;
    // One pointer walks over all weights, past those of taps that are left out.
    let (row_end, channel_end) = (of_row - kernel_w * step, of_channel - kernel_h * of_row);
    let (mut map, mut weight) = (inputs, weight);
    for _ in 0..channels {
        let mut row = map;
        for _ in 0..kernel_h {
            let mut input = row;
            for _ in 0..kernel_w {
                // SAFETY: the caller's promise.
                unsafe {
                    let mut values = [[simd.splat(0.0); V]; L];
                    for l in 0..L {
                        for v in 0..V {
                            values[l][v] = simd.load(input[l].add(v * S::LANES));
                        }
                    }
                    for r in 0..R {
                        let weight = simd.splat(*weight.add(r));
                        for l in 0..L {
                            for v in 0..V {
                                sums[r][l][v] = simd.mul_add(weight, values[l][v], sums[r][l][v]);
                            }
                        }
                    }
                }
                step_by(&mut input, across);
                weight = weight.wrapping_add(step);
            }
            step_by(&mut row, down);
            weight = weight.wrapping_add(row_end);
        }
        step_by(&mut map, channel);
        weight = weight.wrapping_add(channel_end);
    }
    if *scaled {
        for r in 0..R {
            let (factor, offset) = (simd.splat(factors[r]), simd.splat(offsets[r]));
            for l in 0..L {
                for v in 0..V {
                    sums[r][l][v] = simd.mul_add(sums[r][l][v], factor, offset);
                }
            }
        }
    }
    sums
}

/// Moves all places on.
#[inline(always)]
fn step_by<const L: usize>(places: &mut [*const f32; L], step: usize) {
    for place in places {
        *place = place.wrapping_add(step);
    }
}
