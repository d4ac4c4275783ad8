//! The transforms of a task's inputs and of its products, tile by tile.

use std::marker::PhantomData;
use std::ops::Range;

use crate::desc::{Conv, Map, Order};
use crate::kernel::conv::finish::{Finish, Vector};
use crate::kernel::conv::winograd::points::{self, Columns, MAX_A, Points};
use crate::simd::{Kernel, Simd};

/// The place of a tile: its sample, and the first of its outputs.
#[inline(always)]
fn corners<P: Points>(grid: [usize; 2], tiles: Range<usize>) -> impl Iterator<Item = (usize, usize, usize)> {
    let line = tiles.start / grid[1];
    let (mut sample, mut y, mut x) = (line / grid[0], line % grid[0], tiles.start % grid[1]);
    tiles.map(move |_| {
        let corner = (sample, y * P::M, x * P::M);
        x += 1;
        if x == grid[1] {
            (x, y) = (0, y + 1);
        }
        if y == grid[0] {
            (y, sample) = (0, sample + 1);
        }
        corner
    })
}

/// Transforms the inputs of some tiles to `v`: `[factor][block][tile][channel]`.
pub(super) struct Inputs<'a, P> {
    pub(super) d: &'a Conv,
    pub(super) grid: [usize; 2],
    pub(super) tiles: Range<usize>,
    pub(super) input: &'a [f32],
    pub(super) v: &'a mut [f32],
    pub(super) factor_len: usize,
    pub(super) points: PhantomData<P>,
}

impl<P: Points> Kernel for Inputs<'_, P> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Inputs { d, grid, tiles, input, v, factor_len, .. } = self;
        let [top, left, ..] = d.window.pad;
        let (h, w, plane) = (d.input.h, d.input.w, d.input.plane());
        let count = tiles.len();
        assert!(v.len() >= P::A * P::A * factor_len && factor_len >= d.input.c * count, "room for the factors");
        let mut columns = [[simd.splat(0.0); MAX_A]; MAX_A];
        for block in 0..d.input.c / Order::BLOCK {
            for (index, (sample, y, x)) in corners::<P>(grid, tiles.clone()).enumerate() {
                let map = &input[sample * d.input.len() + block * plane * Order::BLOCK..][..plane * Order::BLOCK];
                // Rows and columns of the tile that are inside the map.
                let inside = [(y, top, h), (x, left, w)]
                    .map(|(at, pad, size)| pad.saturating_sub(at)..(size + pad).saturating_sub(at).min(P::A));
                let first = map.as_ptr().wrapping_add(y * w * Order::BLOCK + x * Order::BLOCK);
                let first = first.wrapping_sub((top * w + left) * Order::BLOCK);
                for lane in (0..Order::BLOCK).step_by(S::LANES) {
                    let to = (block * count + index) * Order::BLOCK + lane;
                    let (from, to) = (first.wrapping_add(lane), v[to..].as_mut_ptr());
                    // SAFETY: what is inside is in the map; each factor has a vector for this tile.
                    unsafe { transform::<S, P>(simd, from, w * Order::BLOCK, &inside, &mut columns, to, factor_len) };
                }
            }
        }
    }
}

/// Transforms one tile of a vector of channels.
///
/// # Safety
/// The places of `inside`, rows `line` floats apart, can be read from `first` on; a vector can be written to each factor.
#[inline(always)]
unsafe fn transform<S: Simd, P: Points>(
    simd: S,
    first: *const f32,
    line: usize,
    inside: &[Range<usize>; 2],
    columns: &mut Columns<S::V, MAX_A>,
    to: *mut f32,
    factor_len: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if inside.iter().all(|range| *range == (0..P::A)) {
            down::<S, P>(simd, first, line, &[0..P::A, 0..P::A], columns);
        } else {
            down::<S, P>(simd, first, line, inside, columns);
        }
    }
    for line in 0..P::A {
        let row = points::line(simd, columns, P::A, line);
        for (right, &factor) in P::input(simd, row).iter().enumerate().take(P::A) {
            // SAFETY: the caller's promise.
            unsafe { simd.store(to.add((line * P::A + right) * factor_len), factor) };
        }
    }
}

/// Transforms the columns of one tile downwards; what is not inside is zero.
///
/// # Safety
/// As for [`transform`].
#[inline(always)]
unsafe fn down<S: Simd, P: Points>(
    simd: S,
    first: *const f32,
    line: usize,
    inside: &[Range<usize>; 2],
    columns: &mut Columns<S::V, MAX_A>,
) {
    let (zero, zeros) = (simd.splat(0.0), [0.0; Order::BLOCK]);
    for (x, column) in columns.iter_mut().enumerate().take(P::A) {
        let mut inputs = [zero; MAX_A];
        if inside[1].contains(&x) {
            for (y, value) in inputs.iter_mut().enumerate().take(P::A) {
                let at = first.wrapping_add(y * line + x * Order::BLOCK);
                // SAFETY: the caller's promise; the zeros are a vector at least.
                *value = unsafe { simd.load(if inside[0].contains(&y) { at } else { zeros.as_ptr() }) };
            }
        }
        column[..P::A].copy_from_slice(&P::input(simd, inputs)[..P::A]);
    }
}

/// Transforms the products of some tiles and a band of rows, and writes them.
///
/// If `POOLED`, the largest of each 2 x 2 are written.
pub(super) struct Outputs<'a, P, const POOLED: bool> {
    /// The map that is written.
    pub(super) outputs: Map,
    pub(super) grid: [usize; 2],
    /// Those that there are products of, and which of them are transformed.
    pub(super) tiles: Range<usize>,
    pub(super) part: Range<usize>,
    pub(super) rows: usize,
    /// As [`Factors::multiply`](super::Factors::multiply) writes them.
    pub(super) products: &'a [f32],
    pub(super) product_len: usize,
    /// Into the maps of these rows, which are this task's alone in these tiles.
    pub(super) finish: Finish,
    pub(super) points: PhantomData<P>,
}

impl<P: Points, const POOLED: bool> Kernel for Outputs<'_, P, POOLED> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Outputs { ref outputs, grid, tiles, part, rows, products, product_len, finish, .. } = self;
        let count = tiles.len();
        let needed = (P::A * P::A - 1) * product_len + rows * count;
        assert!(products.len() >= needed && product_len >= rows * count, "all products");
        let mut columns = [[simd.splat(0.0); MAX_A]; MAX_A];
        for begin in (0..rows).step_by(S::LANES) {
            let pair = begin / (2 * S::LANES) * (2 * S::LANES);
            let width = (rows - pair).min(2 * S::LANES);
            let vector = finish.vector(simd, begin);
            let corners = corners::<P>(grid, tiles.start + part.start..tiles.start + part.end);
            for (index, corner) in part.clone().zip(corners) {
                let from = products[pair * count + index * width + begin - pair..].as_ptr();
                // SAFETY: each factor has a vector here; the tile's outputs are this task's alone.
                unsafe { back::<S, P, POOLED>(simd, from, product_len, &mut columns, outputs, corner, &vector) };
            }
        }
    }
}

/// Transforms the products of one tile and a vector of channels, and writes the outputs that are in the map, or if `POOLED`
/// the largest of each 2 x 2.
///
/// # Safety
/// A vector of each factor can be read; the outputs can be written, and nobody else does.
#[inline(always)]
unsafe fn back<S: Simd, P: Points, const POOLED: bool>(
    simd: S,
    from: *const f32,
    product_len: usize,
    columns: &mut Columns<S::V, MAX_A>,
    map: &Map,
    (sample, y, x): (usize, usize, usize),
    vector: &Vector<S::V>,
) {
    let zero = simd.splat(0.0);
    for (right, column) in columns.iter_mut().enumerate().take(P::A) {
        let mut products = [zero; MAX_A];
        for (down, value) in products.iter_mut().enumerate().take(P::A) {
            // SAFETY: the caller's promise.
            *value = unsafe { simd.load(from.add((down * P::A + right) * product_len)) };
        }
        column[..P::M].copy_from_slice(&P::output(simd, products)[..P::M]);
    }
    let Map { h, w, .. } = *map;
    let place = |y: usize, x: usize| (sample * map.len() + (y * w + x) * Order::BLOCK) as isize;
    if POOLED {
        let (y, x) = (y / 2, x / 2);
        for dy in 0..(P::M / 2).min(h.saturating_sub(y)) {
            let above = P::output(simd, points::line(simd, columns, P::A, 2 * dy));
            let below = P::output(simd, points::line(simd, columns, P::A, 2 * dy + 1));
            for dx in 0..P::M / 2 {
                if x + dx < w {
                    let window = [above[2 * dx], above[2 * dx + 1], below[2 * dx], below[2 * dx + 1]];
                    // SAFETY: the caller's promise.
                    unsafe { vector.put_largest(simd, place(y + dy, x + dx), window) };
                }
            }
        }
        return;
    }
    for dy in 0..P::M.min(h - y) {
        let outputs = P::output(simd, points::line(simd, columns, P::A, dy));
        for (dx, &sum) in outputs.iter().enumerate().take(P::M) {
            // Not a bound of the loop: so all outputs stay in registers.
            if x + dx < w {
                // SAFETY: the caller's promise.
                unsafe { vector.put(simd, place(y + dy, x + dx), sum) };
            }
        }
    }
}
