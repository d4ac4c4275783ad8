//! What the ways of computing a convolution take, and which is the fastest.
//!
//! Counted in cycles of one core, of one of two kinds: a processor of vectors of sixteen lanes without a matrix unit computes
//! one per cycle, which it may do in halves; any other counts for two. So the choice follows from sizes and from the
//! instruction set alone. The constants are measured, on one processor of each kind.

use super::blocked::{self, few};
use super::layout::MAX_VECTORS;
use super::{FACTORS, TRANSFORMS, Tile};
use crate::desc::Conv;
use crate::dispatch::Isa;

/// Lanes of a vector.
const LANES: usize = 16;

/// Tiles of a register tile where channels stand in blocks.
const POSITIONS: usize = 14;

/// Floats that stay in a second-level cache of one megabyte: half of the one that maps in blocks are cut for.
const L2: usize = 1 << 18;

/// How the weights come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coming {
    /// Transformed beforehand, and driven from the cache by the layers between.
    Kept,
    /// To be transformed, as they stand.
    Straight,
    /// To be transformed, inputs and outputs exchanged.
    Turned,
}

/// What a way of tiles takes besides its products.
struct Costs {
    /// To transform a vector of inputs.
    input: usize,
    /// To transform a vector of products back.
    output: usize,
    /// To transform the weights of a pair of channels.
    weight: usize,
}

/// To collect the weights of a pair of channels that are exchanged.
const TURN: usize = 4;

/// Cycles in which a core computes two vectors of sixteen lanes.
fn cycles(isa: Isa) -> usize {
    if isa.tile().0 == LANES && !isa.has_matrix() { 2 } else { 1 }
}

/// Cycles of the way with `tile`.
pub(super) fn winograd(isa: Isa, d: &Conv, n: usize, tile: Tile, coming: Coming) -> usize {
    let blocked = d.input.is_blocked();
    let (m, costs) = match (tile, blocked) {
        (Tile::F2, false) => (2, Costs { input: 150, output: 60, weight: 5 }),
        (Tile::F4, false) => (4, Costs { input: 350, output: 160, weight: 10 }),
        (Tile::F2, true) => (2, Costs { input: 60, output: 40, weight: 5 }),
        (Tile::F4, true) => (4, Costs { input: 150, output: 100, weight: 10 }),
        (Tile::F2Of5, _) => (2, Costs { input: 150, output: 70, weight: 20 }),
        (Tile::F4Of5, _) => (4, Costs { input: 340, output: 200, weight: 40 }),
        (Tile::F6, _) => (6, Costs { input: 340, output: 280, weight: 16 }),
    };
    let tiles = n * d.output.h.div_ceil(m) * d.output.w.div_ceil(m);
    // Without blocks, vectors are of tiles, and whole.
    let tiles = if blocked { tiles } else { tiles.next_multiple_of(LANES) };
    let pairs = d.input.c * d.output.c;
    let weights = tile.products() * pairs;
    let multiplying = cycles(isa) * weights * tiles / LANES * 9 / 16;
    let transforms = cycles(isa) * tiles * (costs.input * d.input.c + costs.output * d.output.c) / LANES;
    let tasks = tiles.div_ceil(if blocked {
        blocked::Way::of(tile.products(), d, POSITIONS).tiles
    } else {
        let panel = tile.products() * d.input.c * 2 * LANES;
        2 * (FACTORS / panel).clamp(1, MAX_VECTORS / 2) * LANES
    });
    let weight = match coming {
        Coming::Kept => 0,
        Coming::Straight if blocked && few::applies(isa.tile().0, tile.taps(), tile.products(), tiles) => {
            costs.weight * pairs * 2 / 5
        }
        Coming::Straight => costs.weight * pairs,
        Coming::Turned => (costs.weight + TURN) * pairs,
    };
    if blocked && blocked::Way::of(tile.products(), d, POSITIONS).spread {
        // Factors and products go to the third-level cache and come back, two floats per cycle.
        let moving = tile.products() * tiles * (d.input.c + d.output.c);
        // As many streams as tiles of 64 products have take twice as long.
        let moving = if tile.is_rough() { 2 * moving } else { moving };
        return multiplying + transforms + moving + weight;
    }
    let made = coming == Coming::Kept;
    if !made && tasks <= TRANSFORMS {
        return multiplying + transforms + tasks * weight;
    }
    // Weights beyond the second-level cache come from the third one, and go there, no faster than a float per cycle.
    let moving = if weights < L2 && !made { 0 } else { weights };
    let writing = if made { 0 } else { moving };
    multiplying.max(tasks * moving / 2) + transforms + weight + writing
}

/// Cycles of the direct way: its products at five sixths of what the processor can do, and bringing inputs together.
fn direct(isa: Isa, d: &Conv, n: usize) -> usize {
    n * d.output.plane() * d.taps() * (d.output.c * 6 / 5 + 10) * cycles(isa) / (2 * LANES)
}

/// The fastest tile that beats the direct way by a tenth. Those of 64 products, which lose more to rounding, have to beat
/// the others by a fifteenth.
pub(super) fn best(isa: Isa, d: &Conv, n: usize, coming: Coming) -> Option<Tile> {
    let ways = Tile::ALL.into_iter().filter(|tile| tile.fits(d) && tile.pays(d));
    let cost = |tile| {
        let cost = winograd(isa, d, n, tile, coming);
        if tile.is_rough() { cost + cost / 15 } else { cost }
    };
    let (cost, tile) = ways.map(|tile| (cost(tile), tile)).min_by_key(|way| way.0)?;
    (cost + cost / 9 < direct(isa, d, n)).then_some(tile)
}
