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
/// The same where weights are made on the way.
const LINES: usize = 3 << 17;
/// The same of some steps: products have to stay as well.
const STEPS: usize = 1 << 17;
/// Tiles from which products that come and go for each piece take longer than weights whose taps are read for each.
const MANY: usize = 24;

/// The pieces that all steps of all factors are cut into.
///
/// Weights that are transformed beforehand are cut by factors. Those that are made on the way are cut by steps, of which all
/// factors are made at once, or for many tiles by lines of factors, for each of which all taps are read.
#[derive(Clone, Copy)]
pub(super) struct Pieces {
    /// Units of factors that are not cut, and how many factors one has.
    units: usize,
    unit: usize,
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
        let both_sides = P::A * P::A * steps * (tiles + Blocks::MOST);
        let (unit, cuts) = match left {
            Left::Transformed(_) if way.spread => (1, [both_sides.div_ceil(FACTORS), 1]),
            Left::Weights(_) if way.spread && tiles >= MANY => (P::A, [both_sides.div_ceil(LINES), 1]),
            Left::Weights(_) if way.spread => (P::A, [1, both_sides.div_ceil(STEPS)]),
            left => (P::A, [1, left.pieces::<P>(steps, bands)]),
        };
        let units = P::A * P::A / unit;
        Pieces { units, unit, steps, cuts: [cuts[0].min(units), cuts[1].min(steps / Order::BLOCK)] }
    }

    /// All of them.
    pub(super) fn iter(self) -> impl Iterator<Item = Piece> {
        let Pieces { units, unit, steps, cuts } = self;
        (0..cuts[0] * cuts[1]).map(move |index| {
            let units = part(units, cuts[0], 1, index / cuts[1]);
            let steps = part(steps, cuts[1], Order::BLOCK, index % cuts[1]);
            Piece { factors: units.start * unit..units.end * unit, steps }
        })
    }

    /// Most factors of a piece.
    pub(super) fn most_factors(self) -> usize {
        self.units.div_ceil(self.cuts[0]) * self.unit
    }

    /// Most steps of a piece.
    pub(super) fn most_steps(self) -> usize {
        (self.steps / Order::BLOCK).div_ceil(self.cuts[1]) * Order::BLOCK
    }
}
