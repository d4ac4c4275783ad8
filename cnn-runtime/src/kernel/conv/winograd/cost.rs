//! What the ways of computing a convolution take, and which is the fastest.
//!
//! Counted in cycles of one core with vectors of sixteen lanes and two multiply-adds per cycle, whatever the machine: so
//! that the choice follows from sizes alone. The constants are measured.

use super::Tile;
use crate::desc::Conv;

/// Tiles that one vector holds.
const LANES: usize = 16;

/// What a way of tiles takes besides its products.
struct Costs {
    /// To transform a vector of inputs.
    input: usize,
    /// To transform a vector of products back.
    output: usize,
    /// To transform the weights of a pair of channels.
    weight: usize,
}

/// Cycles of the way with `tile`.
fn winograd(d: &Conv, n: usize, tile: Tile, transforming: bool) -> usize {
    let (m, costs) = match tile {
        Tile::F2 => (2, Costs { input: 160, output: 60, weight: 20 }),
        Tile::F4 => (4, Costs { input: 400, output: 160, weight: 40 }),
    };
    let vectors = (n * d.output.h.div_ceil(m) * d.output.w.div_ceil(m)).div_ceil(LANES);
    let pairs = d.input.c * d.output.c;
    let weights = tile.products() * pairs;
    let multiplying = weights * vectors * 9 / 16;
    // Weights beyond the second-level cache come from the third one no faster than a float in one or two cycles.
    let reading = match weights {
        0x4_0000..0x40_0000 => weights,
        0x40_0000.. => 2 * weights,
        _ => 0,
    };
    let transforms = vectors * (costs.input * d.input.c + costs.output * d.output.c);
    multiplying.max(reading) + transforms + if transforming { costs.weight * pairs } else { 0 }
}

/// Cycles of the direct way, which comes to three quarters of what the processor can do.
fn direct(d: &Conv, n: usize) -> usize {
    d.weight_len() * (n * d.output.plane()).div_ceil(2 * LANES) * 4 / 3
}

/// The fastest tile that beats the direct way by a tenth, `transforming` the weights as well or not.
pub(super) fn best(d: &Conv, n: usize, transforming: bool) -> Option<Tile> {
    let ways = [Tile::F2, Tile::F4].into_iter().filter(|tile| tile.fits(d));
    let (cost, tile) = ways.map(|tile| (winograd(d, n, tile, transforming), tile)).min_by_key(|way| way.0)?;
    (cost + cost / 9 < direct(d, n)).then_some(tile)
}
