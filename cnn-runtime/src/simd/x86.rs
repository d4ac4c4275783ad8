//! AVX-512 and AVX2 with FMA.

use std::arch::x86_64::{
    __m256, __m512, _MM_HINT_T0, _MM_HINT_T1, _mm_prefetch, _mm_sfence, _mm256_add_ps, _mm256_fmadd_ps,
    _mm256_loadu_ps, _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps, _mm256_set1_ps, _mm256_storeu_ps, _mm256_stream_ps,
    _mm256_sub_ps, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps,
    _mm512_set1_ps, _mm512_storeu_ps, _mm512_stream_ps, _mm512_sub_ps,
};

use super::{Kernel, Simd};

macro_rules! token {
    ($(#[$doc:meta])* $token:ident, [$($feature:tt),+], $enable:literal, $vector:ty, lanes: $lanes:literal, rows: $rows:literal,
     $splat:ident, $fmadd:ident, $add:ident, $max:ident, $min:ident, $load:ident, $store:ident,
     $sub:ident, $mul:ident, $stream:ident, $parts:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $token(());

        impl $token {
            /// The token, if the processor has all that the trampoline enables.
            pub(crate) fn detect() -> Option<Self> {
                let present = true $(&& is_x86_feature_detected!($feature))+;
                present.then_some($token(()))
            }
        }

        impl Simd for $token {
            type V = $vector;
            const LANES: usize = $lanes;
            const MR: usize = $rows;

            #[inline(always)]
            fn call<K: Kernel>(self, kernel: K) {
                #[target_feature(enable = $enable)]
                fn trampoline<K: Kernel>(token: $token, kernel: K) {
                    kernel.run(token);
                }
                // Rust 1.95 takes no `inline(never)` from a function with features when one without them calls it: tiles
                // then spill their sums in the middle of whoever calls them. What has fewer features inlines none.
                #[inline(never)]
                fn apart<K: Kernel>(token: $token, kernel: K) {
                    // SAFETY: the token proves that the enabled features are present.
                    unsafe { trampoline(token, kernel) }
                }
                apart(self, kernel);
            }

            #[inline(always)]
            fn splat(self, x: f32) -> Self::V {
                // SAFETY: the token proves that the instruction is present.
                unsafe { $splat(x) }
            }

            #[inline(always)]
            fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
                // SAFETY: the token proves that the instruction is present.
                unsafe { $fmadd(a, b, c) }
            }

            #[inline(always)]
            fn add(self, a: Self::V, b: Self::V) -> Self::V {
                // SAFETY: the token proves that the instruction is present.
                unsafe { $add(a, b) }
            }

            #[inline(always)]
            fn max(self, a: Self::V, b: Self::V) -> Self::V {
                // SAFETY: the token proves that the instruction is present.
                unsafe { $max(a, b) }
            }

            #[inline(always)]
            fn max_or_nan(self, a: Self::V, b: Self::V) -> Self::V {
                // SAFETY: the token proves that the instructions are present.
                unsafe { $parts::max_or_nan(a, b) }
            }

            #[inline(always)]
            fn min(self, a: Self::V, b: Self::V) -> Self::V {
                // SAFETY: the token proves that the instruction is present.
                unsafe { $min(a, b) }
            }

            #[inline(always)]
            fn sub(self, a: Self::V, b: Self::V) -> Self::V {
                // SAFETY: the token proves that the instruction is present.
                unsafe { $sub(a, b) }
            }

            #[inline(always)]
            fn mul(self, a: Self::V, b: Self::V) -> Self::V {
                // SAFETY: the token proves that the instruction is present.
                unsafe { $mul(a, b) }
            }

            #[inline(always)]
            unsafe fn load_whole(self, p: *const i32) -> Self::V {
                // SAFETY: the token proves that the instructions are present; the caller that the numbers may be read.
                unsafe { $parts::load_whole(p) }
            }

            #[inline(always)]
            fn pick(self, a: Self::V, b: Self::V, indices: &[u32; 16]) -> Self::V {
                // SAFETY: the token proves that the instructions are present.
                unsafe { $parts::pick(a, b, indices) }
            }

            #[inline(always)]
            fn select_gt(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
                // SAFETY: the token proves that the instructions are present.
                unsafe { $parts::select_gt(a, b, x, y) }
            }

            #[inline(always)]
            fn select_gt_or_nan(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
                // SAFETY: the token proves that the instructions are present.
                unsafe { $parts::select_gt_or_nan(a, b, x, y) }
            }

            #[inline(always)]
            fn select_eq(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
                // SAFETY: the token proves that the instructions are present.
                unsafe { $parts::select_eq(a, b, x, y) }
            }

            #[inline(always)]
            unsafe fn load_part(self, p: *const f32, from: usize, to: usize) -> Self::V {
                // SAFETY: the token proves that the instructions are present; the caller that the part may be read.
                unsafe { $parts::load(p, from, to) }
            }

            #[inline(always)]
            unsafe fn store_part(self, p: *mut f32, v: Self::V, from: usize, to: usize) {
                // SAFETY: the token proves that the instructions are present; the caller that the part may be written.
                unsafe { $parts::store(p, v, from, to) }
            }

            #[inline(always)]
            unsafe fn store_even(self, p: *mut f32, v: Self::V, from: usize, to: usize) {
                // SAFETY: the token proves that the instructions are present; the caller that the part may be written.
                unsafe { $parts::store_even(p, v, from, to) }
            }

            #[inline(always)]
            unsafe fn columns(self, from: *const f32, step: usize) -> [Self::V; 16] {
                // SAFETY: the token proves that the instructions are present; the caller that the rows are valid.
                unsafe { $parts::columns(from, step) }
            }

            #[inline(always)]
            fn prefetch(self, p: *const f32) {
                // SAFETY: a hint, which touches no memory; all processors of this architecture have it.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
            }

            #[inline(always)]
            fn prefetch_later(self, p: *const f32) {
                // SAFETY: a hint, which touches no memory; all processors of this architecture have it.
                unsafe { _mm_prefetch::<_MM_HINT_T1>(p.cast()) }
            }

            #[inline(always)]
            unsafe fn stream(self, p: *mut f32, v: Self::V) {
                // SAFETY: the token proves that the instruction is present; the caller that `p` may be written, and where
                // it stands.
                unsafe { $stream(p, v) }
            }

            #[inline(always)]
            fn fence(self) {
                // SAFETY: all processors of this architecture have it.
                unsafe { _mm_sfence() }
            }

            #[inline(always)]
            unsafe fn load(self, p: *const f32) -> Self::V {
                // SAFETY: the token proves that the instruction is present; the caller that `p` may be read.
                unsafe { $load(p) }
            }

            #[inline(always)]
            unsafe fn store(self, p: *mut f32, v: Self::V) {
                // SAFETY: the token proves that the instruction is present; the caller that `p` may be written.
                unsafe { $store(p, v) }
            }
        }
    };
}

token! {
    /// 512-bit vectors: 32 registers hold a tile of 14 x 32 with two columns of the right side and a broadcast.
    Avx512, ["avx512f", "avx512vl", "avx512dq", "avx512bw", "avx2", "fma"], "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma",
    __m512, lanes: 16, rows: 14,
    _mm512_set1_ps, _mm512_fmadd_ps, _mm512_add_ps, _mm512_max_ps, _mm512_min_ps, _mm512_loadu_ps, _mm512_storeu_ps,
    _mm512_sub_ps, _mm512_mul_ps, _mm512_stream_ps, parts512
}

token! {
    /// 256-bit vectors with fused multiply-add: 16 registers hold a tile of 6 x 16.
    Avx2, ["avx2", "fma"], "avx2,fma",
    __m256, lanes: 8, rows: 6,
    _mm256_set1_ps, _mm256_fmadd_ps, _mm256_add_ps, _mm256_max_ps, _mm256_min_ps, _mm256_loadu_ps, _mm256_storeu_ps,
    _mm256_sub_ps, _mm256_mul_ps, _mm256_stream_ps, parts256
}

/// Shuffles and parts of 512-bit vectors, for [`Avx512`] alone: its token vouches for the instructions.
mod parts512 {
    use std::arch::x86_64::{
        __m512, _CMP_EQ_OQ, _CMP_GT_OQ, _CMP_ORD_Q, _CMP_UNORD_Q, _mm_loadu_ps, _mm512_castpd_ps, _mm512_castps_pd,
        _mm512_castps128_ps512, _mm512_cmp_ps_mask, _mm512_cvtepi32_ps, _mm512_insertf32x4, _mm512_loadu_si512,
        _mm512_mask_blend_ps, _mm512_mask_max_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_permutex2var_ps,
        _mm512_setzero_ps, _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd, _mm512_unpacklo_ps,
    };

    #[inline(always)]
    pub(super) unsafe fn load_whole(p: *const i32) -> __m512 {
        // SAFETY: the caller vouches for the numbers, its token for the instructions.
        unsafe { _mm512_cvtepi32_ps(_mm512_loadu_si512(p.cast())) }
    }

    /// Rows are loaded a quarter at a time, so that only two steps of shuffles are left: pairs of rows, and pairs of pairs.
    #[inline(always)]
    pub(super) unsafe fn columns(from: *const f32, step: usize) -> [__m512; 16] {
        // SAFETY: the caller vouches for all rows, its token for the instructions.
        unsafe {
            let mut columns = [_mm512_setzero_ps(); 16];
            for quarter in 0..4 {
                // `rows[i]`: of rows `i`, `i + 4`, `i + 8` and `i + 12`, this quarter.
                let mut rows = [_mm512_setzero_ps(); 4];
                for (i, row) in rows.iter_mut().enumerate() {
                    let part = |r: usize| _mm_loadu_ps(from.add((i + r) * step + 4 * quarter));
                    let half = _mm512_insertf32x4::<1>(_mm512_castps128_ps512(part(0)), part(4));
                    *row = _mm512_insertf32x4::<3>(_mm512_insertf32x4::<2>(half, part(8)), part(12));
                }
                let low = [_mm512_unpacklo_ps(rows[0], rows[1]), _mm512_unpacklo_ps(rows[2], rows[3])];
                let high = [_mm512_unpackhi_ps(rows[0], rows[1]), _mm512_unpackhi_ps(rows[2], rows[3])];
                for (half, [a, b]) in [low, high].into_iter().enumerate() {
                    let (a, b) = (_mm512_castps_pd(a), _mm512_castps_pd(b));
                    columns[4 * quarter + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
                    columns[4 * quarter + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
                }
            }
            columns
        }
    }

    #[inline(always)]
    pub(super) unsafe fn max_or_nan(a: __m512, b: __m512) -> __m512 {
        // SAFETY: the caller's token proves that the instructions are present.
        unsafe { _mm512_mask_max_ps(a, _mm512_cmp_ps_mask::<_CMP_ORD_Q>(a, a), a, b) }
    }

    #[inline(always)]
    pub(super) unsafe fn select_gt(a: __m512, b: __m512, x: __m512, y: __m512) -> __m512 {
        // SAFETY: the caller's token proves that the instructions are present.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), y, x) }
    }

    #[inline(always)]
    pub(super) unsafe fn select_gt_or_nan(a: __m512, b: __m512, x: __m512, y: __m512) -> __m512 {
        // SAFETY: the caller's token proves that the instructions are present.
        unsafe {
            let won = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b) | _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a);
            _mm512_mask_blend_ps(won, y, x)
        }
    }

    #[inline(always)]
    pub(super) unsafe fn select_eq(a: __m512, b: __m512, x: __m512, y: __m512) -> __m512 {
        // SAFETY: the caller's token proves that the instructions are present.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b), y, x) }
    }

    /// The lanes below `count`.
    #[inline(always)]
    fn below(count: usize) -> u16 {
        ((1_u32 << count) - 1) as u16
    }

    #[inline(always)]
    pub(super) unsafe fn pick(a: __m512, b: __m512, indices: &[u32; 16]) -> __m512 {
        // SAFETY: sixteen indices fill a vector; the caller's token proves that the instructions are present.
        unsafe { _mm512_permutex2var_ps(a, _mm512_loadu_si512(indices.as_ptr().cast()), b) }
    }

    #[inline(always)]
    pub(super) unsafe fn load(p: *const f32, from: usize, to: usize) -> __m512 {
        // SAFETY: lanes that the mask leaves out are not touched; the caller vouches for the others.
        unsafe { _mm512_maskz_loadu_ps(below(to) & !below(from), p) }
    }

    #[inline(always)]
    pub(super) unsafe fn store(p: *mut f32, v: __m512, from: usize, to: usize) {
        // SAFETY: lanes that the mask leaves out are not touched; the caller vouches for the others.
        unsafe { _mm512_mask_storeu_ps(p, below(to) & !below(from), v) }
    }

    #[inline(always)]
    pub(super) unsafe fn store_even(p: *mut f32, v: __m512, from: usize, to: usize) {
        // SAFETY: lanes that the mask leaves out are not touched; the caller vouches for the others.
        unsafe { _mm512_mask_storeu_ps(p, below(to) & !below(from) & 0x5555, v) }
    }
}

/// Shuffles and parts of 256-bit vectors, for [`Avx2`] alone: its token vouches for the instructions.
mod parts256 {
    use std::arch::x86_64::{
        __m256, __m256i, _CMP_EQ_OQ, _CMP_GT_OQ, _CMP_UNORD_Q, _mm256_and_si256, _mm256_blendv_ps, _mm256_castpd_ps,
        _mm256_castps_pd, _mm256_castsi256_ps, _mm256_cmp_ps, _mm256_cmpgt_epi32, _mm256_cvtepi32_ps, _mm256_loadu_ps,
        _mm256_loadu_si256, _mm256_maskload_ps, _mm256_maskstore_ps, _mm256_max_ps, _mm256_or_ps,
        _mm256_permute2f128_ps, _mm256_permutevar8x32_ps, _mm256_set1_epi32, _mm256_setr_epi32, _mm256_setzero_ps,
        _mm256_slli_epi32, _mm256_unpackhi_pd, _mm256_unpackhi_ps, _mm256_unpacklo_pd, _mm256_unpacklo_ps,
    };

    #[inline(always)]
    pub(super) unsafe fn load_whole(p: *const i32) -> __m256 {
        // SAFETY: the caller vouches for the numbers, its token for the instructions.
        unsafe { _mm256_cvtepi32_ps(_mm256_loadu_si256(p.cast())) }
    }

    /// In three steps: pairs of rows, pairs of pairs, then halves of vectors.
    #[inline(always)]
    pub(super) unsafe fn columns(from: *const f32, step: usize) -> [__m256; 16] {
        // SAFETY: the caller vouches for all rows, its token for the instructions.
        unsafe {
            let mut rows = [_mm256_setzero_ps(); 8];
            for (r, row) in rows.iter_mut().enumerate() {
                *row = _mm256_loadu_ps(from.add(r * step));
            }
            let mut pairs = rows;
            for r in (0..8).step_by(2) {
                pairs[r] = _mm256_unpacklo_ps(rows[r], rows[r + 1]);
                pairs[r + 1] = _mm256_unpackhi_ps(rows[r], rows[r + 1]);
            }
            // `fours[4 * g + c]`: of rows `4g..4g+4`, the columns `c` and `c + 4`.
            let mut fours = rows;
            for g in (0..8).step_by(4) {
                for half in 0..2 {
                    let (a, b) = (_mm256_castps_pd(pairs[g + half]), _mm256_castps_pd(pairs[g + 2 + half]));
                    fours[g + 2 * half] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
                    fours[g + 2 * half + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
                }
            }
            let mut columns = [_mm256_setzero_ps(); 16];
            for c in 0..4 {
                let (a, b) = (fours[c], fours[4 + c]);
                columns[c] = _mm256_permute2f128_ps::<0x20>(a, b);
                columns[c + 4] = _mm256_permute2f128_ps::<0x31>(a, b);
            }
            columns
        }
    }

    #[inline(always)]
    pub(super) unsafe fn max_or_nan(a: __m256, b: __m256) -> __m256 {
        // SAFETY: the caller's token proves that the instructions are present.
        unsafe { _mm256_blendv_ps(_mm256_max_ps(a, b), a, _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a)) }
    }

    #[inline(always)]
    pub(super) unsafe fn select_gt(a: __m256, b: __m256, x: __m256, y: __m256) -> __m256 {
        // SAFETY: the caller's token proves that the instructions are present.
        unsafe { _mm256_blendv_ps(y, x, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b)) }
    }

    #[inline(always)]
    pub(super) unsafe fn select_gt_or_nan(a: __m256, b: __m256, x: __m256, y: __m256) -> __m256 {
        // SAFETY: the caller's token proves that the instructions are present.
        unsafe {
            let won = _mm256_or_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(a, b), _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a));
            _mm256_blendv_ps(y, x, won)
        }
    }

    #[inline(always)]
    pub(super) unsafe fn select_eq(a: __m256, b: __m256, x: __m256, y: __m256) -> __m256 {
        // SAFETY: the caller's token proves that the instructions are present.
        unsafe { _mm256_blendv_ps(y, x, _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b)) }
    }

    /// All bits of the lanes `from..to`.
    #[inline(always)]
    unsafe fn lanes(from: usize, to: usize) -> __m256i {
        // SAFETY: the caller's token proves that the instructions are present.
        unsafe {
            let lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            let after = _mm256_cmpgt_epi32(lane, _mm256_set1_epi32(from as i32 - 1));
            _mm256_and_si256(after, _mm256_cmpgt_epi32(_mm256_set1_epi32(to as i32), lane))
        }
    }

    #[inline(always)]
    pub(super) unsafe fn pick(a: __m256, b: __m256, indices: &[u32; 16]) -> __m256 {
        // SAFETY: eight of the indices fill a vector; the caller's token proves that the instructions are present.
        unsafe {
            let indices = _mm256_loadu_si256(indices.as_ptr().cast());
            let (a, b) = (_mm256_permutevar8x32_ps(a, indices), _mm256_permutevar8x32_ps(b, indices));
            // Bit 3 of an index, moved to the sign, chooses `b`.
            _mm256_blendv_ps(a, b, _mm256_castsi256_ps(_mm256_slli_epi32::<28>(indices)))
        }
    }

    #[inline(always)]
    pub(super) unsafe fn load(p: *const f32, from: usize, to: usize) -> __m256 {
        // SAFETY: lanes that the mask leaves out are not touched; the caller vouches for the others.
        unsafe { _mm256_maskload_ps(p, lanes(from, to)) }
    }

    #[inline(always)]
    pub(super) unsafe fn store(p: *mut f32, v: __m256, from: usize, to: usize) {
        // SAFETY: lanes that the mask leaves out are not touched; the caller vouches for the others.
        unsafe { _mm256_maskstore_ps(p, lanes(from, to), v) }
    }

    #[inline(always)]
    pub(super) unsafe fn store_even(p: *mut f32, v: __m256, from: usize, to: usize) {
        // SAFETY: lanes that the mask leaves out are not touched; the caller vouches for the others.
        unsafe {
            let even = _mm256_setr_epi32(-1, 0, -1, 0, -1, 0, -1, 0);
            _mm256_maskstore_ps(p, _mm256_and_si256(lanes(from, to), even), v);
        }
    }
}
