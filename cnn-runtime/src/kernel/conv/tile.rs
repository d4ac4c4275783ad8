//! The innermost loop: some positions by one, two or four vectors of output channels, held in registers from the first tap
//! to the last.
//!
//! Weights come as whole vectors, inputs one by one, broadcast: so neither the distance between positions nor the ends of
//! lines cost a lane. What matters is how much is loaded, above all on a core whose other thread is busy: fourteen positions
//! by two vectors load sixteen values for 28 multiply-adds, six by four ten for 24.

use super::finish::InRegisters;
use crate::desc::Order;
use crate::simd::{Kernel, Simd};

/// Most positions of a tile on any instruction set.
pub(super) const MOST: usize = 14;
/// Steps that weights are asked for ahead of time: they stream in from the second-level cache.
const WEIGHTS_AHEAD: usize = 12;
/// Most positions of a tile so many vectors wide, where an instruction set has vectors of `lanes` and tiles of `rows` rows
/// by two vectors: the sums, the weights and one input fill the registers. A vector holds the positions, once they are
/// turned into the lanes.
#[inline(always)]
pub(super) const fn most_positions((lanes, rows): (usize, usize), vectors: usize) -> usize {
    let registers = 2 * rows + 4;
    let rows = if vectors > 2 { (registers - 1 - vectors) / vectors } else { rows };
    if rows < lanes { rows } else { lanes }
}

/// Where the input of each step stands, and what is asked for ahead of time.
pub(super) trait Steps: Copy {
    /// Most lines of a tile.
    const LINES: usize;

    /// How many there are.
    fn len(self) -> usize;

    /// Takes all steps, for a tile whose first position stands at `input`.
    ///
    /// # Safety
    /// The promises to [`compute`].
    unsafe fn take<S: Simd, const L: usize, const P: usize, const NV: usize, const APART: usize>(
        self,
        input: *const f32,
        sum: &mut Sum<S, L, P, NV, APART>,
    );
}

/// Steps that stand anywhere.
#[derive(Clone, Copy)]
pub(super) struct Listed<'a> {
    at: &'a [u32],
    ahead: &'a [u32],
}

impl<'a> Listed<'a> {
    /// Places for so many steps.
    pub(super) const fn places(depth: usize) -> usize {
        2 * depth
    }

    /// Steps that stand at `at`, of which each asks for the one so many behind it.
    pub(super) fn new(depth: usize, places: &'a mut [u32], reach: usize, fill: impl FnOnce(&mut [u32])) -> Self {
        let (at, ahead) = places.split_at_mut(depth);
        fill(at);
        ahead.iter_mut().enumerate().for_each(|(k, next)| *next = at[(k + reach).min(depth - 1)]);
        Listed { at, ahead }
    }
}

impl Steps for Listed<'_> {
    const LINES: usize = 2;

    fn len(self) -> usize {
        self.at.len()
    }

    #[inline(always)]
    unsafe fn take<S: Simd, const L: usize, const P: usize, const NV: usize, const APART: usize>(
        self,
        input: *const f32,
        sum: &mut Sum<S, L, P, NV, APART>,
    ) {
        for (&at, &ahead) in self.at.iter().zip(self.ahead) {
            // SAFETY: the caller's promise.
            unsafe { sum.step(input.add(at as usize), input.wrapping_add(ahead as usize)) };
        }
    }
}

/// The channels of positions that stand in blocks. Each asks for another position in the next block.
#[derive(Clone, Copy)]
pub(super) struct Channels {
    blocks: usize,
    /// Distance between blocks.
    apart: usize,
}

impl Channels {
    /// Steps on end. With more, the compiler reads their inputs before it needs them, and spills them.
    const TOGETHER: usize = 2;

    /// So many channels, whole blocks, of maps of so many positions.
    pub(super) fn new(channels: usize, positions: usize) -> Self {
        debug_assert!(channels.is_multiple_of(Order::BLOCK));
        Channels { blocks: channels / Order::BLOCK, apart: positions * Order::BLOCK }
    }
}

impl Steps for Channels {
    const LINES: usize = 1;

    fn len(self) -> usize {
        self.blocks * Order::BLOCK
    }

    #[inline(always)]
    unsafe fn take<S: Simd, const L: usize, const P: usize, const NV: usize, const APART: usize>(
        self,
        mut input: *const f32,
        sum: &mut Sum<S, L, P, NV, APART>,
    ) {
        for _ in 0..self.blocks {
            let (mut first, mut ahead) = (input, input.wrapping_add(self.apart));
            for _ in 0..Order::BLOCK / Self::TOGETHER {
                for k in 0..Self::TOGETHER {
                    // SAFETY: the caller's promise.
                    unsafe { sum.step(first.add(k), ahead.wrapping_add(k * Order::BLOCK)) };
                }
                first = first.wrapping_add(Self::TOGETHER);
                ahead = ahead.wrapping_add(Self::TOGETHER * Order::BLOCK);
            }
            input = input.wrapping_add(self.apart);
        }
    }
}

/// A tile to compute.
#[derive(Clone, Copy)]
pub(super) struct Tile<'a, K> {
    /// The weights of the first step: one or two vectors.
    pub weights: *const f32,
    /// Distance between steps of the weights.
    pub weight_step: usize,
    /// Distance to two vectors more, if there are four.
    pub weight_pair: usize,
    /// The input of the first position.
    pub input: *const f32,
    /// Where each step of it stands.
    pub steps: K,
    /// Distance between the lines of a tile of two.
    pub line: usize,
    /// What is asked for into the second-level cache, a place at each step: weights that come next.
    pub later: *const f32,
    /// Distance between those places.
    pub later_step: usize,
    /// What becomes of the sums while they are in registers, if it is done there.
    pub ends: Option<InRegisters<'a>>,
    /// Where they go otherwise: a row of vectors for each position.
    pub sums: *mut f32,
    /// Whether the sums of earlier steps stand there, to go on from.
    pub resumed: bool,
}

/// Computes a tile of `lines` times `positions`, `vectors` wide, whose positions stand `APART` floats apart.
///
/// # Safety
/// `lines * positions` is at most [`most_positions`], `positions` at least one, `lines` at least one and at most what the steps
/// allow, and `vectors` are one, two, or four if these fill two blocks; the input can be read at all positions and steps,
/// and all vectors of weights; what the [`InRegisters`] promise, or the sums can be written, and read if they are resumed.
#[inline(always)]
pub(super) unsafe fn compute<S: Simd, const APART: usize, K: Steps>(
    simd: S,
    lines: usize,
    positions: usize,
    vectors: usize,
    tile: Tile<'_, K>,
) {
    macro_rules! dispatch {
        ($($lines:literal x $positions:literal)+) => {
            match (lines, positions, vectors) {
                $(
                    ($lines, $positions, 1) => sized::<S, $lines, $positions, 1, APART, K>(simd, tile),
                    ($lines, $positions, 2) => sized::<S, $lines, $positions, 2, APART, K>(simd, tile),
                    ($lines, $positions, 4) => sized::<S, $lines, $positions, 4, APART, K>(simd, tile),
                )+
                _ => unreachable!("a tile of {lines} x {positions}, {vectors} vectors wide"),
            }
        };
    }
    dispatch!(
        1 x 1 1 x 2 1 x 3 1 x 4 1 x 5 1 x 6 1 x 7 1 x 8 1 x 9 1 x 10 1 x 11 1 x 12 1 x 13 1 x 14
        2 x 2 2 x 3 2 x 4 2 x 5 2 x 6 2 x 7
    );
}

/// Leaves out sizes that are never asked for.
#[inline(always)]
fn sized<S: Simd, const L: usize, const P: usize, const NV: usize, const APART: usize, K: Steps>(
    simd: S,
    tile: Tile<'_, K>,
) {
    if const { fits::<S, K>(L, P, NV) } {
        simd.call(Sized::<L, P, NV, APART, K>(tile));
    } else {
        unreachable!("a tile of {L} x {P}, {NV} vectors wide");
    }
}

/// Whether there are tiles of these sizes.
const fn fits<S: Simd, K: Steps>(lines: usize, positions: usize, vectors: usize) -> bool {
    let wide = lines == 1 && S::LANES == Order::BLOCK;
    lines <= K::LINES && lines * positions <= most_positions((S::LANES, S::MR), vectors) && (vectors < 4 || wide)
}

/// A tile whose sizes are known to the compiler. Made by [`compute`] alone, under its conditions.
struct Sized<'a, const L: usize, const P: usize, const NV: usize, const APART: usize, K>(Tile<'a, K>);

impl<const L: usize, const P: usize, const NV: usize, const APART: usize, K: Steps> Kernel
    for Sized<'_, L, P, NV, APART, K>
{
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Tile { weights, weight_step, weight_pair, input, steps, line, later, later_step, ends, sums, resumed } =
            self.0;
        let mut acc = [[[simd.splat(0.0); NV]; P]; L];
        if resumed {
            for (p, row) in acc.as_flattened_mut().iter_mut().enumerate() {
                for (v, sum) in row.iter_mut().enumerate() {
                    // SAFETY: `compute` was promised that the sums are there.
                    *sum = unsafe { simd.load(sums.add((p * NV + v) * S::LANES)) };
                }
            }
        }
        let mut sum = Sum { simd, acc, weights, weight_step, weight_pair, line, later, later_step };
        // SAFETY: `compute` was promised all that is read and written here.
        unsafe {
            steps.take::<S, L, P, NV, APART>(input, &mut sum);
            if let Some(ends) = &ends {
                return sum.end_all(ends);
            }
            for (p, row) in sum.acc.as_flattened().iter().enumerate() {
                for (v, &sum) in row.iter().enumerate() {
                    simd.store(sums.add((p * NV + v) * S::LANES), sum);
                }
            }
        }
    }
}

/// The sums of a tile, and what the next step reads.
pub(super) struct Sum<S: Simd, const L: usize, const P: usize, const NV: usize, const APART: usize> {
    simd: S,
    acc: [[[S::V; NV]; P]; L],
    weights: *const f32,
    weight_step: usize,
    weight_pair: usize,
    line: usize,
    later: *const f32,
    later_step: usize,
}

impl<S: Simd, const L: usize, const P: usize, const NV: usize, const APART: usize> Sum<S, L, P, NV, APART> {
    /// Takes a step whose first input stands at `first`, and asks for `ahead`.
    ///
    /// # Safety
    /// The promises to [`compute`], for this step.
    #[inline(always)]
    unsafe fn step(&mut self, first: *const f32, ahead: *const f32) {
        let Sum { simd, weights, weight_step, weight_pair, .. } = *self;
        // A lone vector has a load for each multiply-add as it is, and little memory behind it.
        if NV > 1 {
            simd.prefetch(ahead);
            simd.prefetch_later(self.later);
            self.later = self.later.wrapping_add(self.later_step);
        }
        let mut right = [simd.splat(0.0); NV];
        for (v, right) in right.iter_mut().enumerate() {
            let weights = weights.wrapping_add(v / 2 * weight_pair + v % 2 * S::LANES);
            // SAFETY: the caller's promise.
            *right = unsafe { simd.load(weights) };
            if v * S::LANES % 16 == 0 {
                simd.prefetch(weights.wrapping_add(WEIGHTS_AHEAD * weight_step));
            }
        }
        self.weights = weights.wrapping_add(weight_step);
        for (l, acc) in self.acc.iter_mut().enumerate() {
            for (p, acc) in acc.iter_mut().enumerate() {
                // SAFETY: the caller's promise.
                let left = simd.splat(unsafe { *first.add(l * self.line + p * APART) });
                for (acc, &right) in acc.iter_mut().zip(&right) {
                    *acc = simd.mul_add(left, right, *acc);
                }
            }
        }
    }

    /// InRegisters all sums.
    ///
    /// # Safety
    /// What the ends promise.
    #[inline(always)]
    unsafe fn end_all(&self, ends: &InRegisters<'_>) {
        // By number, not in a loop: one that the compiler does not unroll would have all sums in memory.
        // SAFETY: the caller's promise.
        unsafe {
            self.end::<0>(ends);
            if NV > 1 {
                self.end::<1>(ends);
            }
            if NV > 2 {
                self.end::<2>(ends);
                self.end::<3>(ends);
            }
        }
    }

    /// InRegisters the sums of a vector of channels.
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    unsafe fn end<const V: usize>(&self, ends: &InRegisters<'_>) {
        let line = |l: usize| std::array::from_fn::<_, P, _>(|p| self.acc[l][p][V % NV]);
        // SAFETY: the caller's promise.
        unsafe {
            ends.put(self.simd, V, 0, line(0));
            if L > 1 {
                ends.put(self.simd, V, 1, line(1 % L));
            }
        }
    }
}
