//! Work in pieces of a fixed size: the pieces never depend on the number of threads, so neither do results.

use rayon::prelude::*;

use crate::pool;

/// Elements from which work is handed to the thread pool; below, waking it costs more than it saves.
pub(crate) const PARALLEL: usize = 1 << 18;

/// Elements of one piece of pointwise work: small enough for the L1 cache with its inputs, large enough to steal.
pub(crate) const CHUNK: usize = 1 << 13;

/// Pieces that one task takes together when they are smaller than a chunk.
fn together(piece: usize) -> usize {
    (CHUNK / piece).max(1)
}

/// Calls `f(index, piece)` for each piece of `out`; in parallel when `work` elements are many.
pub(crate) fn each<T: Send>(out: &mut [T], piece: usize, work: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    if work < PARALLEL || !pool::is_wide() {
        out.chunks_mut(piece).enumerate().for_each(|(i, out)| f(i, out));
    } else {
        let pieces = out.par_chunks_mut(piece).with_min_len(together(piece)).enumerate();
        pool::enter(|| pieces.for_each(|(i, out)| f(i, out)));
    }
}

/// Calls `f(index, a's piece, b's piece)` for corresponding pieces; in parallel when `work` elements are many.
pub(crate) fn each2<A: Send, B: Send>(
    (a, a_piece): (&mut [A], usize),
    (b, b_piece): (&mut [B], usize),
    work: usize,
    f: impl Fn(usize, &mut [A], &mut [B]) + Sync,
) {
    if work < PARALLEL || !pool::is_wide() {
        a.chunks_mut(a_piece).zip(b.chunks_mut(b_piece)).enumerate().for_each(|(i, (a, b))| f(i, a, b));
    } else {
        let pieces = a.par_chunks_mut(a_piece).zip(b.par_chunks_mut(b_piece));
        let pieces = pieces.with_min_len(together(a_piece)).enumerate();
        pool::enter(|| pieces.for_each(|(i, (a, b))| f(i, a, b)));
    }
}

/// The part of `all` that belongs to piece `index` where pieces hold `piece` elements; the last may be shorter.
pub(crate) fn part(all: &[f32], index: usize, piece: usize) -> &[f32] {
    &all[index * piece..all.len().min((index + 1) * piece)]
}

/// `d_input = g` or `d_input += g` for one element.
#[inline(always)]
pub(crate) fn put<const ADD: bool>(d_input: &mut f32, gradient: f32) {
    if ADD {
        *d_input += gradient;
    } else {
        *d_input = gradient;
    }
}
