//! AVX-512 and AVX2 with FMA.

use std::arch::x86_64::{
    __m256, __m512, _MM_HINT_T0, _mm_prefetch, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps,
    _mm256_min_ps, _mm256_set1_ps, _mm256_storeu_ps, _mm256_sub_ps, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_max_ps, _mm512_min_ps, _mm512_set1_ps, _mm512_storeu_ps, _mm512_sub_ps,
};

use super::{Kernel, Simd};

macro_rules! token {
    ($(#[$doc:meta])* $token:ident, [$($feature:tt),+], $enable:literal, $vector:ty, lanes: $lanes:literal, rows: $rows:literal,
     $splat:ident, $fmadd:ident, $add:ident, $max:ident, $min:ident, $load:ident, $store:ident,
     $sub:ident, $parts:ident) => {
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
                #[inline(never)]
                #[target_feature(enable = $enable)]
                fn trampoline<K: Kernel>(token: $token, kernel: K) {
                    kernel.run(token);
                }
                // SAFETY: the token proves that the enabled features are present.
                unsafe { trampoline(self, kernel) }
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
            fn pick(self, a: Self::V, b: Self::V, indices: &[u32; 16]) -> Self::V {
                // SAFETY: the token proves that the instructions are present.
                unsafe { $parts::pick(a, b, indices) }
            }

            #[inline(always)]
            unsafe fn load_part(self, p: *const f32, from: usize, to: usize) -> Self::V {
                // SAFETY: the token proves that the instructions are present; the caller that the part may be read.
                unsafe { $parts::load(p, from, to) }
            }

            #[inline(always)]
            unsafe fn store_part(self, p: *mut f32, v: Self::V, count: usize) {
                // SAFETY: the token proves that the instructions are present; the caller that the part may be written.
                unsafe { $parts::store(p, v, count) }
            }

            #[inline(always)]
            fn prefetch(self, p: *const f32) {
                // SAFETY: a hint, which touches no memory; all processors of this architecture have it.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
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
    _mm512_sub_ps, parts512
}

token! {
    /// 256-bit vectors with fused multiply-add: 16 registers hold a tile of 6 x 16.
    Avx2, ["avx2", "fma"], "avx2,fma",
    __m256, lanes: 8, rows: 6,
    _mm256_set1_ps, _mm256_fmadd_ps, _mm256_add_ps, _mm256_max_ps, _mm256_min_ps, _mm256_loadu_ps, _mm256_storeu_ps,
    _mm256_sub_ps, parts256
}

/// Shuffles and parts of 512-bit vectors, for [`Avx512`] alone: its token vouches for the instructions.
mod parts512 {
    use std::arch::x86_64::{
        __m512, _mm512_loadu_si512, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_permutex2var_ps,
    };

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
    pub(super) unsafe fn store(p: *mut f32, v: __m512, count: usize) {
        // SAFETY: lanes that the mask leaves out are not touched; the caller vouches for the others.
        unsafe { _mm512_mask_storeu_ps(p, below(count), v) }
    }
}

/// Shuffles and parts of 256-bit vectors, for [`Avx2`] alone: its token vouches for the instructions.
mod parts256 {
    use std::arch::x86_64::{
        __m256, __m256i, _mm256_and_si256, _mm256_blendv_ps, _mm256_castsi256_ps, _mm256_cmpgt_epi32,
        _mm256_loadu_si256, _mm256_maskload_ps, _mm256_maskstore_ps, _mm256_permutevar8x32_ps, _mm256_set1_epi32,
        _mm256_setr_epi32, _mm256_slli_epi32,
    };

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
    pub(super) unsafe fn store(p: *mut f32, v: __m256, count: usize) {
        // SAFETY: lanes that the mask leaves out are not touched; the caller vouches for the others.
        unsafe { _mm256_maskstore_ps(p, lanes(0, count), v) }
    }
}
