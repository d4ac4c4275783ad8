//! Where everything of one task stands: its tiles, and its parts of the scratch memory.

use std::ops::Range;

use super::points::Points;
use crate::desc::Conv;
use crate::simd::Simd;

/// Most vectors of tiles in a task.
pub(super) const MAX_VECTORS: usize = 32;
/// Floats between the factors of a block, so that the same place in each of them falls into another set of the cache.
const GAP: usize = 32;

/// The sizes of one task: some consecutive tiles, all input channels, and some rows of output channels at a time.
///
/// Tiles are counted across the maps of all samples, a line of tiles after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Lines of tiles, and tiles in a line, of one map.
    pub grid: [usize; 2],
    /// The first tile.
    pub first: usize,
    /// Tiles.
    pub tiles: usize,
    /// Vectors of tiles.
    pub vectors: usize,
    /// Input channels.
    pub channels: usize,
    /// Most output channels whose products are held at a time.
    pub rows: usize,
    /// Vectors of inputs that a line is staged in.
    pub units: usize,
    /// Tiles that a staged line has room for.
    pub pitch: usize,
    /// Floats of one staged phase of a row: all lines.
    pub phase: usize,
    /// Distance between the factors of the inputs.
    pub factor: usize,
    /// Distance between the products.
    pub product: usize,
}

impl Layout {
    pub(super) fn new<S: Simd, P: Points>(_: S, d: &Conv, tiles: Range<usize>, rows: usize) -> Self {
        let grid = [d.output.h.div_ceil(P::M), d.output.w.div_ceil(P::M)];
        // The last tile of a line reads into the place after it.
        let units = ((grid[1] + 1) * P::M).div_ceil(S::LANES);
        let pitch = units * S::LANES / P::M;
        let lines = (tiles.end - 1) / grid[1] - tiles.start / grid[1] + 1;
        let vectors = tiles.len().div_ceil(S::LANES);
        assert!(vectors <= MAX_VECTORS, "a task of {} tiles", tiles.len());
        Layout {
            grid,
            first: tiles.start,
            tiles: tiles.len(),
            vectors,
            channels: d.input.c,
            rows,
            units,
            pitch,
            phase: (lines * pitch).next_multiple_of(S::LANES) + 2 * S::LANES,
            factor: vectors * S::LANES * d.input.c + GAP,
            product: vectors * S::LANES * rows + GAP,
        }
    }

    /// Floats of the staged rows of a channel, of the factors, and of the products.
    pub(super) fn lens<P: Points>(&self) -> [usize; 3] {
        [P::A * P::M * self.phase, P::A * P::A * self.factor, P::A * P::A * self.product]
    }

    /// The lines that the tiles stand in.
    pub(super) fn lines(&self) -> Range<usize> {
        self.first / self.grid[1]..(self.first + self.tiles - 1) / self.grid[1] + 1
    }

    /// Panels of two vectors, the last of one or two.
    pub(super) fn panels(&self) -> usize {
        self.vectors.div_ceil(2)
    }

    /// Vectors of a panel.
    pub(super) fn width(&self, panel: usize) -> usize {
        (self.vectors - 2 * panel).min(2)
    }
}
