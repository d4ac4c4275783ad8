//! Work in pieces of a fixed size: the pieces never depend on the number of threads, so neither do results.

#![allow(unsafe_code)] // tasks share the slices that they write parts of

use std::ops::Range;

use super::parallel::{Shared, is_shared, share};
use super::wide::wide;

/// Elements from which work is handed to the thread pool; below, waking it costs more than it saves.
pub(crate) const PARALLEL: usize = 1 << 18;

/// Elements of one piece of pointwise work: small enough for the L1 cache with its inputs, large enough to steal.
pub(crate) const CHUNK: usize = 1 << 13;

/// Calls `f(index, piece)` for each piece of `out`; in parallel when `work` elements are many.
pub(crate) fn each<T: Send>(out: &mut [T], piece: usize, work: usize, f: impl Fn(usize, &mut [T]) + Sync) {
    if !is_shared(work, PARALLEL) {
        return out.chunks_mut(piece).enumerate().for_each(|(i, out)| f(i, out));
    }
    let (len, together) = (out.len(), together(piece));
    let out = Shared::new(out);
    share(len.div_ceil(piece * together), &|task| {
        // SAFETY: tasks have disjoint ranges of the slice.
        let pieces = unsafe { out.part(of_task(task, piece * together, len)) };
        (task * together..).zip(pieces.chunks_mut(piece)).for_each(|(i, out)| f(i, out));
    });
}

/// Calls `f`, which must be `#[inline(always)]`, for each element of `io`: in parallel when they are many, and
/// [compiled](wide) for the instruction set in use.
pub(crate) fn map(io: &mut [f32], f: impl Fn(&mut f32) + Sync) {
    let work = io.len();
    each(io, CHUNK, work, |_, io| {
        wide(
            #[inline(always)]
            || {
                for io in io {
                    f(io);
                }
            },
        );
    });
}

/// As [`map`], with the elements of another slice of the same length.
pub(crate) fn map1(io: &mut [f32], a: &[f32], f: impl Fn(&mut f32, f32) + Sync) {
    each(io, CHUNK, a.len(), |i, io| {
        let a = part(a, i, CHUNK);
        wide(
            #[inline(always)]
            || {
                for (io, &a) in io.iter_mut().zip(a) {
                    f(io, a);
                }
            },
        );
    });
}

/// As [`map`], with the elements of two other slices of the same length.
pub(crate) fn map2(io: &mut [f32], [a, b]: [&[f32]; 2], f: impl Fn(&mut f32, f32, f32) + Sync) {
    each(io, CHUNK, a.len(), |i, io| {
        let (a, b) = (part(a, i, CHUNK), part(b, i, CHUNK));
        wide(
            #[inline(always)]
            || {
                for (io, (&a, &b)) in io.iter_mut().zip(a.iter().zip(b)) {
                    f(io, a, b);
                }
            },
        );
    });
}

/// Calls `f(index, a's piece, b's piece)` for corresponding pieces; in parallel when `work` elements are many.
pub(crate) fn each2<A: Send, B: Send>(
    (a, a_piece): (&mut [A], usize),
    (b, b_piece): (&mut [B], usize),
    work: usize,
    f: impl Fn(usize, &mut [A], &mut [B]) + Sync,
) {
    if !is_shared(work, PARALLEL) {
        return a.chunks_mut(a_piece).zip(b.chunks_mut(b_piece)).enumerate().for_each(|(i, (a, b))| f(i, a, b));
    }
    let (a_len, b_len, together) = (a.len(), b.len(), together(a_piece));
    let (a, b) = (Shared::new(a), Shared::new(b));
    share(a_len.div_ceil(a_piece * together), &|task| {
        // SAFETY: tasks have disjoint ranges of both slices.
        let (a, b) = unsafe {
            (a.part(of_task(task, a_piece * together, a_len)), b.part(of_task(task, b_piece * together, b_len)))
        };
        let pieces = a.chunks_mut(a_piece).zip(b.chunks_mut(b_piece));
        (task * together..).zip(pieces).for_each(|(i, (a, b))| f(i, a, b));
    });
}

/// Calls `f(index, piece of out, pieces of others)` for corresponding pieces of slices that are equally long; in parallel
/// when `work` elements are many.
pub(crate) fn each_with<const N: usize>(
    out: &mut [f32],
    others: [&mut [f32]; N],
    piece: usize,
    work: usize,
    f: impl Fn(usize, &mut [f32], [&mut [f32]; N]) + Sync,
) {
    assert!(others.iter().all(|other| other.len() == out.len()), "slices of one length");
    let (len, tasks) = (out.len(), out.len().div_ceil(piece));
    let (out, others) = (Shared::new(out), others.map(Shared::new));
    let task = |task| {
        let range = of_task(task, piece, len);
        // SAFETY: tasks have disjoint ranges of all slices, which are as long as `out`.
        let (out, others) = unsafe { (out.part(range.clone()), others.map(|other| other.part(range.clone()))) };
        f(task, out, others);
    };
    if !is_shared(work, PARALLEL) { (0..tasks).for_each(task) } else { share(tasks, &task) }
}

/// Pieces that one task takes together when they are smaller than a chunk.
fn together(piece: usize) -> usize {
    (CHUNK / piece).max(1)
}

/// The elements of a task of which all but the last have `size`.
fn of_task(task: usize, size: usize, len: usize) -> Range<usize> {
    (task * size).min(len)..((task + 1) * size).min(len)
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
