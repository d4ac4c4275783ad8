//! What becomes of an output's sum.

use std::ops::Range;

use super::WIDTH;
use crate::kernel::post::Post;
use crate::simd::Simd;

/// What the last products of a panel's outputs end with: `clamp(sum * factor + offset + residual)`.
pub(super) struct Ends {
    factors: [f32; WIDTH],
    offsets: [f32; WIDTH],
    clamp: (f32, f32),
}

impl Ends {
    /// What `post` does to these outputs.
    #[inline(always)]
    pub(super) fn of(post: &Post<'_>, outputs: Range<usize>) -> Self {
        let (factors, offsets) = post.affines::<WIDTH>(outputs);
        Ends { factors, offsets, clamp: post.clamp() }
    }

    /// Ends the sums of the outputs from the panel's `lane`-th on: of so many lanes if `PART`, else of all.
    ///
    /// # Safety
    /// So many floats of the panel are left from there on, and of the residual.
    #[inline(always)]
    pub(super) unsafe fn apply<S: Simd, const PART: bool>(
        &self,
        simd: S,
        sum: S::V,
        lane: usize,
        lanes: usize,
        residual: Option<*const f32>,
    ) -> S::V {
        // SAFETY: the caller's promise.
        let read = |p: *const f32| unsafe { if PART { simd.load_part(p, 0, lanes) } else { simd.load(p) } };
        let [factor, offset] = [&self.factors, &self.offsets].map(|all| read(all.as_ptr().wrapping_add(lane)));
        let mut value = simd.mul_add(sum, factor, offset);
        if let Some(residual) = residual {
            value = simd.add(value, read(residual));
        }
        simd.clamp(value, simd.splat(self.clamp.0), simd.splat(self.clamp.1))
    }
}
