//! How the products of a task are cut, so that what is read again and again stays in the cache.

use std::ops::Range;

use super::Way;
use crate::desc::Order;
use crate::kernel::blocks::Blocks;
use crate::kernel::conv::winograd::Left;
use crate::kernel::conv::winograd::points::Points;
use crate::kernel::conv::winograd::weights::Bands;
use crate::kernel::parallel::part;

/// Floats of some factors, of inputs and of a band's weights, that stay in a second-level cache while all bands pass by.
const FACTORS: usize = 3 << 16;
/// The same of some steps, whose weights are made on the way: products have to stay as well.
const STEPS: usize = 1 << 17;

/// The pieces that all steps of all factors are cut into: weights that are transformed beforehand by factors, those that are
/// made on the way by steps, because all factors of a step are made at once.
#[derive(Clone, Copy)]
pub(super) struct Pieces {
    factors: usize,
    steps: usize,
    /// Pieces of the factors, and of the steps: one of the two is one.
    cuts: [usize; 2],
}

/// Some steps of some factors.
#[derive(Clone)]
pub(super) struct Piece {
    pub factors: Range<usize>,
    pub steps: Range<usize>,
}

impl Pieces {
    /// The pieces for so many steps and tiles.
    pub(super) fn of<P: Points>(way: Way, left: Left<'_>, steps: usize, tiles: usize, bands: Bands) -> Self {
        let factors = P::A * P::A;
        let both_sides = factors * steps * (tiles + Blocks::MOST);
        let cuts = match left {
            Left::Transformed(_) if way.spread => [both_sides.div_ceil(FACTORS).min(factors), 1],
            Left::Weights(_) if way.spread => [1, both_sides.div_ceil(STEPS)],
            left => [1, left.pieces::<P>(steps, bands)],
        };
        Pieces { factors, steps, cuts: [cuts[0], cuts[1].min(steps / Order::BLOCK)] }
    }

    /// All of them.
    pub(super) fn iter(self) -> impl Iterator<Item = Piece> {
        let Pieces { factors, steps, cuts } = self;
        (0..cuts[0] * cuts[1]).map(move |index| Piece {
            factors: part(factors, cuts[0], 1, index / cuts[1]),
            steps: part(steps, cuts[1], Order::BLOCK, index % cuts[1]),
        })
    }

    /// Most steps of a piece.
    pub(super) fn most_steps(self) -> usize {
        (self.steps / Order::BLOCK).div_ceil(self.cuts[1]) * Order::BLOCK
    }
}
