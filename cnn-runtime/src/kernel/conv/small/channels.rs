//! Tiles with an output channel in each lane, where sixteen fill a vector: no lane is lost to lines of any length.
//!
//! The input is read where it stands once it is padded, a value for all channels at a time. A tile has two lines, so that
//! windows of 2 x 2 are pooled as it is written.

#![allow(clippy::needless_range_loop)] // lines and positions of the tile are counted as in the formula

use super::tile::Reach;
use crate::desc::Order;
use crate::kernel::conv::finish::Finish;
use crate::kernel::parallel::part;
use crate::simd::{Kernel, Simd};

/// Lines of a tile.
const LINES: usize = 2;
/// Most positions of a line that a tile has: with their weights, the sums of both lines fit in the registers.
const POSITIONS: usize = 10;

/// Whether so many channels fill their lanes.
pub(super) const fn applies<S: Simd>(_: S, channels: usize) -> bool {
    S::LANES == Order::BLOCK && channels.is_multiple_of(Order::BLOCK)
}

/// All lines of the outputs of sixteen channels.
pub(super) struct Channels {
    /// What each output reads.
    pub reach: Reach,
    /// The input of the first tap of the first output; those of a line follow one another.
    pub input: *const f32,
    /// Distance between the inputs of two lines.
    pub pitch: usize,
    /// The weights of the first tap.
    pub weight: *const f32,
    /// What is done to the sums, and where they are written: a vector for each output.
    pub finish: Finish,
    /// Lines and columns that are written.
    pub grid: [usize; 2],
    /// Whether each is the largest of 2 x 2 outputs.
    pub pooled: bool,
}

/// Computes the outputs.
///
/// # Safety
/// Sixteen channels fill a vector. The input holds the taps of all outputs, or of 2 x 2 for each that is written if they are
/// pooled; there is a vector of weights for each tap; the outputs can be written, and nobody else does.
pub(super) unsafe fn compute<S: Simd>(simd: S, channels: &Channels) {
    let Channels { grid: [height, width], pooled, .. } = *channels;
    let scale = if pooled { 2 } else { 1 };
    let [height, width] = [scale * height, scale * width];
    let tiles = width.div_ceil(POSITIONS);
    for line in (0..height).step_by(LINES) {
        for columns in (0..tiles).map(|tile| part(width, tiles, scale, tile)) {
            let tile = Tile { channels, line, column: columns.start };
            call(simd, LINES.min(height - line), columns.len(), tile);
        }
    }
}

/// A tile, by its first line and column.
struct Tile<'a> {
    channels: &'a Channels,
    line: usize,
    column: usize,
}

/// Enters the instruction set with sizes known to the compiler.
fn call<S: Simd>(simd: S, lines: usize, positions: usize, tile: Tile<'_>) {
    macro_rules! dispatch {
        ($($p:literal)+) => {
            match (lines, positions) {
                $((1, $p) => sized::<S, 1, $p>(simd, tile),
                (LINES, $p) => sized::<S, LINES, $p>(simd, tile),)+
                _ => unreachable!("a tile of {lines} x {positions}"),
            }
        };
    }
    dispatch!(1 2 3 4 5 6 7 8 9 10);
}

/// Leaves out the instruction sets that have other ways.
#[inline(always)]
fn sized<S: Simd, const L: usize, const P: usize>(simd: S, tile: Tile<'_>) {
    if const { S::LANES == Order::BLOCK } {
        simd.call(Sized::<L, P>(tile));
    } else {
        unreachable!("sixteen channels are not a vector");
    }
}

/// A tile of a size known to the compiler. Made by [`compute`] alone, under its conditions.
struct Sized<'a, const L: usize, const P: usize>(Tile<'a>);

impl<const L: usize, const P: usize> Kernel for Sized<'_, L, P> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Tile { channels: Channels { reach, input, pitch, weight, finish, grid, pooled }, line, column } = self.0;
        let Reach { channels, kernel: [kernel_h, kernel_w], input: [of_channel, down, across], weight: steps } = *reach;
        let mut map = input.wrapping_add(line * pitch + column);
        let mut sums = [[simd.splat(0.0); P]; L];
        for c in 0..channels {
            let mut row = map;
            for kh in 0..kernel_h {
                let mut input = row;
                let mut weight = weight.wrapping_add(c * steps[0] + kh * steps[1]);
                for _ in 0..kernel_w {
                    // SAFETY: `compute` was promised all taps of the tile, and their weights.
                    unsafe {
                        let weights = simd.load(weight);
                        for l in 0..L {
                            for p in 0..P {
                                let value = simd.splat(*input.add(l * pitch + p));
                                sums[l][p] = simd.mul_add(value, weights, sums[l][p]);
                            }
                        }
                    }
                    input = input.wrapping_add(across);
                    weight = weight.wrapping_add(steps[2]);
                }
                row = row.wrapping_add(down);
            }
            map = map.wrapping_add(of_channel);
        }
        let vector = finish.vector(simd, 0);
        let place = |line: usize, column: usize| ((line * grid[1] + column) * Order::BLOCK) as isize;
        if *pooled {
            for p in 0..P / 2 {
                let [above, below] = [0, L - 1].map(|l| [sums[l][2 * p], sums[l][2 * p + 1]]);
                let window = [above[0], above[1], below[0], below[1]];
                // SAFETY: the promise to `compute`: tiles of what is pooled have whole windows.
                unsafe { vector.put_largest(simd, place(line / 2, column / 2 + p), window) };
            }
            return;
        }
        for l in 0..L {
            for p in 0..P {
                // SAFETY: the promise to `compute`.
                unsafe { vector.put(simd, place(line + l, column + p), sums[l][p]) };
            }
        }
    }
}
