//! The direct way: every output is the sum of its taps, in their order, with output channels in the lanes.
//!
//! A task computes some positions of some output channels. The input of its positions is brought close together first:
//! lines with their padding, from which all taps are read where they stand, or where maps are tiny, panels of a tile's
//! positions. Then each block of weights passes over all tiles, and nothing but the end of a tile shuffles.

#[cfg(target_arch = "x86_64")]
mod matrix;
mod pooled;
mod spots;
#[cfg(target_arch = "x86_64")]
mod stem;

use std::ops::Range;

pub(super) use self::pooled::pooled;
use self::spots::{Output, Spots};
use super::backward_data::Turned;
use super::finish::{End, Finish, InRegisters, Sums};
use super::im2col::{Im2col, Stage, distance};
use super::tile::{Channels, Listed, Steps, Tile, compute, most_positions};
use super::whole::Whole;
use crate::desc::{Conv, Order};
use crate::dispatch::Isa;
use crate::kernel::blocks::Blocks;
#[cfg(target_arch = "x86_64")]
use crate::kernel::blocks::Lines;
use crate::kernel::gemm::Gemm;
use crate::kernel::parallel::{self, part};
use crate::kernel::scratch;
use crate::simd::{Kernel, Simd};

/// Steps that inputs are asked for ahead of time.
const AHEAD: usize = 6;
/// Floats of inputs that a task brings together, roughly: a quarter of a second-level cache of two megabytes.
const STAGED: usize = 1 << 17;
/// Least depth: for less, turning the sums over takes longer than packing columns would, and ending small tiles longer than
/// sharing what large ones load.
const LEAST_DEPTH: usize = 128;
/// Most positions where each reads just the input at its own place.
const MOST_PLAIN: usize = 128;
/// Least part of the lanes that has to be of use, in quarters.
const LEAST_LANES: usize = 3;
/// Tasks to aim at when there are few positions.
const TASKS: usize = 8;
/// Least width of maps that are read line by line.
const LEAST_LINE: usize = 4;
/// Most positions of a line where the lines are ours to choose.
const MOST_LINE: usize = 128;
/// Outputs from which those of a tile are asked for before they are computed: of fewer, most are in the caches, and the
/// asking takes longer than it saves.
const MANY: usize = 1 << 18;
/// Tiles from which a map that is read in place is cut within.
const LEAST_TILES: usize = 8;

/// Whether this is the way for a product of weights in blocks and the taps of an input.
///
/// Where channels stand in blocks, in the input or in the output, it is the only one. Else many columns that are read where
/// they stand are packed with less effort than sums are turned over.
pub(super) fn applies(product: &Gemm<'_, ()>, input: &Im2col<'_>, block: usize) -> bool {
    let &Gemm { m, n, k, .. } = product;
    if k > 0 && input.block.max(block) > 1 {
        return true;
    }
    let plain = input.is_identity() && n > MOST_PLAIN;
    !plain && k >= LEAST_DEPTH && 4 * m >= LEAST_LANES * m.next_multiple_of(16)
}

/// Whether a matrix unit is a faster way than Winograd's for `n` samples of a convolution.
pub(super) fn beats_winograd(isa: Isa, d: &Conv, n: usize) -> bool {
    #[cfg(target_arch = "x86_64")]
    return matrix::beats_winograd(isa, d, n);
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = (isa, d, n);
        false
    }
}

/// Whether a matrix unit makes whole maps faster than [`pooled`] does bands of them on vectors.
pub(super) fn beats_bands(isa: Isa, d: &Conv, n: usize) -> bool {
    #[cfg(target_arch = "x86_64")]
    return matrix::beats_winograd(isa, d, n) || matrix::beats_bands(isa, d);
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = (isa, d, n);
        false
    }
}

/// A product of weights in [`Blocks`] and the taps of an input.
pub(super) struct Direct<'a> {
    /// The product, but for its right side; the left one is `[block][tap][row]`.
    product: Gemm<'a, ()>,
    /// What the taps are read from.
    input: Im2col<'a>,
    /// Channels that stand side by side at each position of the output.
    block: usize,
    /// The left side where it is still to be turned round: then that of the product is empty.
    turned: Option<Turned<'a>>,
}

/// How the positions of a task are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Where they stand: blocks of channels, of which each position reads just its own.
    InPlace,
    /// From staged lines; tiles of two lines if they are short.
    Lines {
        /// Lines of a tile.
        together: usize,
    },
    /// From panels: a tile's positions side by side, step after step.
    Panels,
}

impl<'a> Direct<'a> {
    /// The product of weights in blocks and an input, whose output has so many channels side by side.
    pub(super) fn new(product: Gemm<'a, ()>, input: Im2col<'a>, block: usize) -> Self {
        let in_lines = input.block == 1 && input.is_identity();
        let input = if in_lines { input.in_lines(MOST_LINE) } else { input };
        Direct { product, input, block, turned: None }
    }

    /// As [`Direct::new`], of weights that are still to be turned round: what can be [computed at once](Direct::takes_turned).
    pub(super) fn turned(product: Gemm<'a, ()>, input: Im2col<'a>, block: usize, turned: Turned<'a>) -> Self {
        Direct { turned: Some(turned), ..Direct::new(product, input, block) }
    }

    /// Whether there is a way that turns the weights round itself.
    pub(super) fn takes_turned(&self, isa: Isa) -> bool {
        #[cfg(target_arch = "x86_64")]
        return matrix::takes_turned(self, isa);
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = (isa, self.turned);
            false
        }
    }

    /// The cache lines of the weights of the output channels from the given one on, and of what stands behind them.
    #[cfg(target_arch = "x86_64")]
    fn weights(&self, channel: usize) -> Lines {
        match &self.turned {
            Some(turned) => turned.lines(channel),
            None => Lines::of(self.product.a.as_ptr().wrapping_add(channel * self.product.k), usize::MAX, 0),
        }
    }

    fn output(&self) -> Output {
        Output { columns: self.product.columns, block: self.block }
    }

    /// What becomes of the sums of some rows.
    ///
    /// # Safety
    /// As for [`Gemm::run`].
    #[inline(always)]
    unsafe fn finish(&self, rows: Range<usize>) -> Finish {
        let Gemm { ref post, channel, write, c, first, c_stride, ref columns, .. } = self.product;
        let first = first + rows.start * c_stride;
        let residual = post.residual().map(|residual| residual.as_ptr().wrapping_add(first));
        // SAFETY: the caller's promise: these rows' maps are in the shared slice. A residual is as long as it.
        let output = unsafe { c.at(first) };
        Finish::of(post, channel + rows.start..channel + rows.end, write, output, residual, c_stride)
            .in_columns(columns)
    }

    /// Computes the product, in parallel if it is large enough.
    ///
    /// # Safety
    /// As for [`Gemm::run`].
    pub(super) unsafe fn run(&self, isa: Isa) {
        #[cfg(target_arch = "x86_64")]
        if let Some(amx) = matrix::applies(self, isa) {
            // SAFETY: the caller's promise.
            return unsafe { matrix::run(self, isa, amx, None) };
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(amx) = stem::applies(self, isa) {
            // SAFETY: the caller's promise.
            return unsafe { stem::run(self, isa, amx) };
        }
        let Gemm { m, n, k, .. } = self.product;
        let (macs, cut) = (m * n * k, self.cut(isa));
        let parts = parallel::even(cut.parts, macs).min(cut.units);
        let row_parts = parallel::parts(TASKS, macs).div_ceil(parts).clamp(1, cut.bands);
        parallel::for_each(parts * row_parts, macs, |index| {
            let bands = part(cut.bands, row_parts, 1, index % row_parts);
            self.task(isa, &cut, part(n, parts, cut.unit, index / row_parts), bands);
        });
    }

    /// Computes the maps of some samples and channels at a time, on a matrix unit, and writes what a pool makes of them. False
    /// if there is none, or maps are too large.
    ///
    /// # Safety
    /// The output is that of the pool.
    unsafe fn run_whole(&self, isa: Isa, whole: &Whole<'_>) -> bool {
        #[cfg(target_arch = "x86_64")]
        if let Some(amx) = matrix::applies(self, isa).filter(|&amx| matrix::holds_maps(self, amx)) {
            // SAFETY: the caller's promise.
            unsafe { matrix::run(self, isa, amx, Some(whole)) };
            return true;
        }
        let _ = (isa, whole);
        false
    }

    /// Computes the product on this thread.
    ///
    /// # Safety
    /// As for [`Gemm::run`].
    unsafe fn run_alone(&self, isa: Isa) {
        #[cfg(target_arch = "x86_64")]
        if let Some(amx) = stem::applies(self, isa) {
            // SAFETY: the caller's promise.
            return unsafe { stem::run_alone(self, isa, amx) };
        }
        let cut = self.cut(isa);
        for index in 0..cut.parts {
            self.task(isa, &cut, part(self.product.n, cut.parts, cut.unit, index), 0..cut.bands);
        }
    }

    fn task(&self, isa: Isa, cut: &Cut, positions: Range<usize>, bands: Range<usize>) {
        if !positions.is_empty() {
            isa.run(Task { direct: self, way: cut.way, abreast: cut.abreast, positions, bands });
        }
    }

    /// How the product is cut into tasks.
    fn cut(&self, isa: Isa) -> Cut {
        let Gemm { m, n, k, .. } = self.product;
        assert_eq!(self.product.a.len(), m * k, "length of the weights");
        let [_, w] = self.input.grid;
        let way = self.way(most_positions(isa.tile(), 2));
        let abreast = self.abreast(isa, way);
        let positions = most_positions(isa.tile(), 2 * abreast);
        // Positions of a unit that is not cut, and the most units of a task.
        let (unit, most) = match way {
            Way::InPlace => {
                let plane = self.input.map[0] * self.input.map[1];
                let unit = if plane < LEAST_TILES * positions { plane } else { positions };
                // A sample's end cuts a tile, and a line's end what it writes.
                let tiles = unit.div_ceil(positions) + 1;
                let pieces = self.output().pieces(positions);
                (unit, (STAGED / k / unit).min(spots::POSITIONS / (tiles * pieces)))
            }
            Way::Lines { .. } => {
                let stage = self.input.stage(&(0..w));
                let line = self.input.stride[0] * self.input.stride[1] * self.input.line(&stage) / self.input.block;
                match self.output().lines(w, positions) {
                    0 => (self.output().part_of_line(positions), 1),
                    lines => (w, (STAGED / (k / self.input.taps() * line)).min(lines)),
                }
            }
            Way::Panels => (positions, (STAGED / k).min(spots::POSITIONS) / positions),
        };
        let units = n.div_ceil(unit);
        let bands = Blocks::of(m).count().div_ceil(abreast);
        Cut { way, abreast, unit, units, parts: units.div_ceil(most.max(1)), bands }
    }

    /// Blocks of output channels that a tile spans: two, of two vectors each, where sums are long, no sum has to be turned
    /// over, and nearly all tiles are full though they have few positions.
    fn abreast(&self, isa: Isa, way: Way) -> usize {
        let [h, w] = self.input.grid;
        let line = match way {
            Way::InPlace => h * w,
            Way::Lines { together: 1 } => w,
            Way::Lines { .. } | Way::Panels => 0,
        };
        let full = line.next_multiple_of(most_positions(isa.tile(), 4));
        let pairs = self.product.m.is_multiple_of(2 * Blocks::MOST) && 2 * isa.tile().0 == Blocks::MOST;
        let blocked = self.input.block > 1 && self.block > 1;
        if pairs && blocked && self.product.k >= LEAST_DEPTH && 12 * line > 11 * full { 2 } else { 1 }
    }

    /// How the positions are read, tiles of so many.
    fn way(&self, positions: usize) -> Way {
        let [_, w] = self.input.grid;
        let fits = self.output().lines(w, positions) > 0;
        let lines = Way::Lines { together: if w > 1 && 2 * w <= positions { 2 } else { 1 } };
        if self.input.block > 1 {
            if self.input.is_identity() { Way::InPlace } else { lines }
        } else if w < LEAST_LINE.min(positions) || !fits {
            Way::Panels
        } else {
            lines
        }
    }
}

/// How a product is cut into tasks.
struct Cut {
    way: Way,
    /// Blocks of a band.
    abreast: usize,
    /// Positions that are not cut.
    unit: usize,
    /// How many of these there are.
    units: usize,
    /// Least parts of the positions.
    parts: usize,
    /// Bands of output channels.
    bands: usize,
}

/// Some positions of some bands of output channels.
struct Task<'a> {
    direct: &'a Direct<'a>,
    way: Way,
    /// Blocks of a band.
    abreast: usize,
    positions: Range<usize>,
    bands: Range<usize>,
}

impl Kernel for Task<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Task { direct: Direct { product, input, .. }, way, abreast, ref positions, .. } = self;
        let depth = product.k;
        let channels = depth / input.taps();
        let stage = input.stage(positions);
        let most = most_positions((S::LANES, S::MR), 2 * abreast);
        let spots = Spots::new(simd, self.direct, way, most, &stage, positions.clone());
        let staged_len = if way == Way::InPlace { 0 } else { input.filled_len(&stage, channels) };
        let panels_len = if way == Way::Panels { spots.len() * panel(simd, depth) } else { 0 };
        let ragged_len = depth * Blocks::MOST;
        let mut buffer =
            scratch::lend(scratch::Use::Task, ragged_len + panels_len + staged_len + Listed::places(depth));
        let (ragged, rest) = buffer.split_at_mut(ragged_len);
        let (panels, rest) = rest.split_at_mut(panels_len);
        let (staged, steps) = rest.split_at_mut(staged_len);
        let steps = bytemuck::cast_slice_mut(steps);
        let line = input.line(&stage);
        let (from, steps): (&[f32], _) = match way {
            Way::InPlace => {
                let steps = Channels::new(depth, input.map[0] * input.map[1]);
                let read = Read { from: input.data, line, steps };
                return self.multiply::<S, { Order::BLOCK }, _>(simd, &spots, read, ragged);
            }
            Way::Lines { .. } => {
                input.fill(simd, &stage, 0..channels, staged);
                let fill = |at: &mut [u32]| input.for_each_tap(&stage, channels, |k, tap| at[k] = distance(tap));
                (staged, Listed::new(depth, steps, AHEAD, fill))
            }
            Way::Panels => {
                input.fill(simd, &stage, 0..channels, staged);
                simd.call(Panels { input, stage: &stage, staged, channels, spots: &spots, panels });
                let fill = |at: &mut [u32]| at.iter_mut().zip(0..).for_each(|(at, k)| *at = k * S::LANES as u32);
                (panels, Listed::new(depth, steps, AHEAD, fill))
            }
        };
        let read = Read { from, line, steps };
        if input.block == 1 {
            self.multiply::<S, 1, _>(simd, &spots, read, ragged);
        } else {
            self.multiply::<S, { Order::BLOCK }, _>(simd, &spots, read, ragged);
        }
    }
}

/// What tiles read.
#[derive(Clone, Copy)]
struct Read<'a, K> {
    from: &'a [f32],
    /// Distance between lines.
    line: usize,
    /// Where each step stands.
    steps: K,
}

impl Task<'_> {
    /// Multiplies all bands with all tiles.
    #[inline(always)]
    fn multiply<S: Simd, const APART: usize, K: Steps>(
        &self,
        simd: S,
        spots: &Spots,
        read: Read<'_, K>,
        ragged: &mut [f32],
    ) {
        let Direct { ref product, block: side_by_side, .. } = *self.direct;
        let (depth, blocks, weights) = (product.k, Blocks::of(product.m), product.a);
        let mut sums = Sums([0.0; 16 * Blocks::MOST]);
        for band in self.bands.clone() {
            let [first, last] = [0, self.abreast - 1].map(|index| blocks.rows(band * self.abreast + index));
            let step = first.len().next_multiple_of(S::LANES);
            let (rows, width) = (first.start..last.end, step * self.abreast);
            let block = &weights[rows.start * depth..rows.end * depth];
            let block = if width == rows.len() { block } else { widen(block, rows.len(), width, ragged) };
            // SAFETY: the promise to `run`.
            let finish = unsafe { self.direct.finish(rows.clone()) };
            // While a band is at work, the next one is brought nearer; behind the last one stand those of the next layer.
            let (next, later_step) =
                (weights.as_ptr().wrapping_add(rows.end * depth), (rows.len() / spots.len()).max(1));
            for (index, (spot, pieces)) in spots.iter().enumerate() {
                for begin in (0..width).step_by(2 * self.abreast * S::LANES) {
                    let vectors = ((width - begin) / S::LANES).min(2 * self.abreast);
                    let rows = (rows.len() - begin).min(vectors * S::LANES);
                    let (lines, positions) = (spot.lines, spot.len / spot.lines);
                    let blocked = side_by_side > 1;
                    let whole = || {
                        // SAFETY: channels in blocks are whole vectors; the outputs of these positions and rows are this
                        // task's alone.
                        unsafe { InRegisters::of(&finish, begin, pieces, lines, positions) }
                    };
                    let ends = blocked.then(whole).flatten();
                    let tile = Tile {
                        weights: block[begin..].as_ptr(),
                        weight_step: step,
                        weight_pair: step * depth,
                        input: read.from[spot.at..].as_ptr(),
                        steps: read.steps,
                        line: read.line,
                        later: next.wrapping_add(index * depth * later_step),
                        later_step,
                        ends,
                        sums: sums.0.as_mut_ptr(),
                        resumed: false,
                    };
                    if blocked && product.m * product.n >= MANY {
                        finish.ask(simd, begin, rows, pieces);
                    }
                    // SAFETY: a spot stands where all its taps can be read, the block has whole vectors, and the outputs
                    // as above.
                    unsafe {
                        compute::<S, APART, K>(simd, lines, positions, vectors, tile);
                        if ends.is_none() {
                            let end = End { finish: &finish, first: begin, rows, sums: &sums.0, pieces };
                            if blocked { end.write_blocks(simd) } else { end.write(simd) }
                        }
                    }
                }
            }
        }
    }
}

/// Copies steps of `rows` weights to steps of `width`, so that vectors of them are whole. Lanes of no channel are zero: what
/// else stood there might be denormal, which some processors take many times as long to multiply.
fn widen<'a>(block: &[f32], rows: usize, width: usize, into: &'a mut [f32]) -> &'a [f32] {
    for (from, to) in block.chunks_exact(rows).zip(into.chunks_exact_mut(width)) {
        let (channels, none) = to.split_at_mut(rows);
        channels.copy_from_slice(from);
        none.fill(0.0);
    }
    into
}

/// Floats of a panel: a vector for each step, and one for what the last one spills.
fn panel<S: Simd>(_: S, depth: usize) -> usize {
    (depth + 1) * S::LANES
}

/// Copies the positions of each tile from the staged lines to a panel.
struct Panels<'a> {
    input: &'a Im2col<'a>,
    stage: &'a Stage,
    staged: &'a [f32],
    channels: usize,
    spots: &'a Spots,
    panels: &'a mut [f32],
}

impl Kernel for Panels<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Panels { input, stage, staged, channels, spots, panels } = self;
        input.for_each_tap(stage, channels, |k, tap| {
            for source in spots.sources() {
                let from = &staged[tap + source.from..][..source.len];
                let to = &mut panels[source.to + k * S::LANES..][..S::LANES];
                // SAFETY: just measured. A vector spills over the end of its row, into what the next one overwrites.
                unsafe { simd.store(to.as_mut_ptr(), simd.load_part(from.as_ptr(), 0, from.len())) };
            }
        });
    }
}
