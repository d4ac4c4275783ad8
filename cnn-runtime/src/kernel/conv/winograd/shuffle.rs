//! Taking rows apart into the columns of tiles, and putting them together again.

use super::points::{MAX_M, filled};
use crate::simd::Simd;
use crate::simd::shuffle::{EVEN, ODD, in_turns};

/// The even lanes of two vectors, and the odd ones.
#[inline(always)]
fn split<S: Simd>(simd: S, a: S::V, b: S::V) -> (S::V, S::V) {
    (simd.pick(a, b, &EVEN), simd.pick(a, b, &ODD))
}

/// The inverse of [`split`].
#[inline(always)]
fn join<S: Simd>(simd: S, a: S::V, b: S::V) -> (S::V, S::V) {
    let low = simd.pick(a, b, const { &in_turns(S::LANES, 0) });
    (low, simd.pick(a, b, const { &in_turns(S::LANES, S::LANES / 2) }))
}

/// Sorts the first `m` vectors, 2 or 4, by phase: lane `i` of result `p` is element `i * m + p` of them all.
#[inline(always)]
pub(super) fn unzip<S: Simd>(simd: S, m: usize, v: [S::V; MAX_M]) -> [S::V; MAX_M] {
    let (even, odd) = split(simd, v[0], v[1]);
    if m == 2 {
        return filled(simd, [even, odd]);
    }
    let (later_even, later_odd) = split(simd, v[2], v[3]);
    let ((v0, v2), (v1, v3)) = (split(simd, even, later_even), split(simd, odd, later_odd));
    filled(simd, [v0, v1, v2, v3])
}

/// The inverse of [`unzip`].
#[inline(always)]
pub(super) fn zip<S: Simd>(simd: S, m: usize, v: [S::V; MAX_M]) -> [S::V; MAX_M] {
    if m == 2 {
        let (low, high) = join(simd, v[0], v[1]);
        return filled(simd, [low, high]);
    }
    let ((even_low, even_high), (odd_low, odd_high)) = (join(simd, v[0], v[2]), join(simd, v[1], v[3]));
    let ((v0, v1), (v2, v3)) = (join(simd, even_low, odd_low), join(simd, even_high, odd_high));
    filled(simd, [v0, v1, v2, v3])
}
