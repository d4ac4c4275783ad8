//! The transform of the inputs, lane by lane: a tile in each lane.
//!
//! Rows of the maps are transformed downwards as they stand, then sorted by their column within a tile and staged, a
//! channel at a time. What the columns of a vector of tiles read then lies within two vectors, however the tiles are
//! spread over lines and samples: one shuffle collects it, and the transform across goes straight into the panels.

use std::marker::PhantomData;
use std::ops::Range;

use super::layout::{Layout, MAX_VECTORS};
use super::points::{MAX_A, MAX_M, Points};
use super::shuffle::unzip;
use crate::desc::Conv;
use crate::simd::{Kernel, Simd};

/// Most lanes of a vector.
const MAX_LANES: usize = 16;

/// Transforms all channels of the tiles of a task.
pub(super) struct Transform<'a, P> {
    pub d: &'a Conv,
    pub layout: &'a Layout,
    /// All samples.
    pub input: &'a [f32],
    /// Room for the staged rows.
    pub stage: &'a mut [f32],
    /// The factors: `[factor][panel][channel][tile]`.
    pub factors: &'a mut [f32],
    pub points: PhantomData<P>,
}

impl<P: Points> Kernel for Transform<'_, P> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Transform { d, layout, input, stage, factors, .. } = self;
        let [stage_len, factors_len, _] = layout.lens::<P>();
        assert!(stage.len() >= stage_len && factors.len() >= factors_len, "room for the transform");
        let mut picks = [Pick::NONE; MAX_VECTORS];
        for (vector, pick) in picks[..layout.vectors].iter_mut().enumerate() {
            *pick = Pick::new(simd, layout, vector);
        }
        for channel in 0..d.input.c {
            stage_channel::<S, P>(simd, d, layout, input, channel, stage);
            for (vector, pick) in picks[..layout.vectors].iter().enumerate() {
                let (panel, half) = (vector / 2, vector % 2);
                let before = panel * 2 * layout.channels + channel * layout.width(panel) + half;
                across::<S, P>(simd, layout, stage, pick, &mut factors[before * S::LANES..]);
            }
        }
    }
}

/// How a vector of tiles is collected from the two vectors of staged columns from `first` on.
#[derive(Clone, Copy)]
struct Pick {
    first: usize,
    /// The columns at the tile's own place.
    own: [u32; MAX_LANES],
    /// The columns at the place of the next tile.
    next: [u32; MAX_LANES],
}

impl Pick {
    const NONE: Self = Pick { first: 0, own: [0; MAX_LANES], next: [0; MAX_LANES] };

    /// # Panics
    /// If the places of the tiles are too far apart, which [`Tile::fits`](super::Tile::fits) rules out.
    fn new<S: Simd>(_: S, layout: &Layout, vector: usize) -> Self {
        let first_line = layout.lines().start;
        let place = |tile: usize| (tile / layout.grid[1] - first_line) * layout.pitch + tile % layout.grid[1];
        let begin = layout.first + vector * S::LANES;
        let mut pick = Pick { first: place(begin), ..Pick::NONE };
        for lane in 0..S::LANES {
            let tile = (begin + lane).min(layout.first + layout.tiles - 1);
            let own = place(tile) - pick.first;
            assert!(own + 1 < 2 * S::LANES, "tiles of a vector {own} places apart");
            (pick.own[lane], pick.next[lane]) = (own as u32, own as u32 + 1);
        }
        pick
    }
}

/// Transforms the rows of one channel downwards and stages them: `[factor][phase][line][place]`.
#[inline(always)]
fn stage_channel<S: Simd, P: Points>(
    simd: S,
    d: &Conv,
    layout: &Layout,
    input: &[f32],
    channel: usize,
    stage: &mut [f32],
) {
    let [top, left, ..] = d.window.pad;
    let (h, w) = (d.input.h, d.input.w);
    let mut rows = [[simd.splat(0.0); MAX_M]; MAX_A];
    let mut unit = 0;
    let mut place = 0;
    for line in layout.lines() {
        let (sample, ty) = (line / layout.grid[0], line % layout.grid[0]);
        let map = &input[(sample * d.input.c + channel) * h * w..][..h * w];
        // The rows of the tiles that are inside the map, and the first of all.
        let (above, below) = (top.saturating_sub(ty * P::M), (h + top).saturating_sub(ty * P::M).min(P::A));
        let first = map.as_ptr().wrapping_add(ty * P::M * w).wrapping_sub(top * w + left);
        for q in 0..layout.units {
            let x = q * S::LANES;
            let (from, to) = (left.saturating_sub(x).min(S::LANES), (w + left).saturating_sub(x).min(S::LANES));
            let mut inputs = [simd.splat(0.0); MAX_A];
            // SAFETY: the rows `above..below` and the lanes `from..to` are inside the map.
            unsafe {
                if above == 0 && below == P::A {
                    load(simd, first.wrapping_add(x), [w, h * w], 0..P::A, from..to, &mut inputs);
                } else {
                    load(simd, first.wrapping_add(x), [w, h * w], above..below.max(above), from..to, &mut inputs);
                }
            }
            let down = P::input(simd, inputs);
            for (rows, factor) in rows.iter_mut().zip(down) {
                rows[unit] = factor;
            }
            unit += 1;
            if unit == P::M {
                put::<S, P>(simd, layout, &rows, place, stage);
                (unit, place) = (0, place + S::LANES);
            }
        }
    }
    if unit > 0 {
        put::<S, P>(simd, layout, &rows, place, stage);
    }
}

/// Loads a vector of each of some rows, and calls for what stands `next` floats later.
///
/// # Safety
/// `columns` of `rows` after `first`, `w` floats apart, can be read.
#[inline(always)]
unsafe fn load<S: Simd>(
    simd: S,
    first: *const f32,
    [w, next]: [usize; 2],
    rows: Range<usize>,
    columns: Range<usize>,
    inputs: &mut [S::V; MAX_A],
) {
    for row in rows {
        let from = first.wrapping_add(row * w);
        simd.prefetch(from.wrapping_add(next));
        // SAFETY: the caller's promise.
        inputs[row] = unsafe { simd.load_part(from, columns.start, columns.end) };
    }
}

/// Sorts `LANES` places of all rows by phase, and stages them.
#[inline(always)]
fn put<S: Simd, P: Points>(simd: S, layout: &Layout, rows: &[[S::V; MAX_M]; MAX_A], place: usize, stage: &mut [f32]) {
    debug_assert!(place + S::LANES <= layout.phase);
    for (factor, &row) in rows.iter().enumerate().take(P::A) {
        let phases = unzip(simd, P::M, row);
        for (phase, &columns) in phases.iter().enumerate().take(P::M) {
            let at = (factor * P::M + phase) * layout.phase + place;
            // SAFETY: the phase has room for all places of all lines, rounded up to whole vectors.
            unsafe { simd.store(stage.as_mut_ptr().add(at), columns) };
        }
    }
}

/// Transforms one vector of tiles across.
#[inline(always)]
fn across<S: Simd, P: Points>(simd: S, layout: &Layout, stage: &[f32], pick: &Pick, factors: &mut [f32]) {
    debug_assert!(pick.first + 2 * S::LANES <= layout.phase);
    debug_assert!((P::A * P::A - 1) * layout.factor + S::LANES <= factors.len());
    for down in 0..P::A {
        let mut inputs = [simd.splat(0.0); MAX_A];
        for phase in 0..P::M {
            let at = (down * P::M + phase) * layout.phase + pick.first;
            // SAFETY: behind the first place of a vector of tiles, a phase goes on for two vectors.
            let [low, high] = unsafe {
                let places = stage.as_ptr().add(at);
                [simd.load(places), simd.load(places.add(S::LANES))]
            };
            inputs[phase] = simd.pick(low, high, &pick.own);
            if phase + P::M < P::A {
                inputs[phase + P::M] = simd.pick(low, high, &pick.next);
            }
        }
        let outputs = P::input(simd, inputs);
        for (right, &factor) in outputs.iter().enumerate().take(P::A) {
            // SAFETY: each factor has room for a vector at this place.
            unsafe { simd.store(factors.as_mut_ptr().add((down * P::A + right) * layout.factor), factor) };
        }
    }
}
