//! AVX-512 and AVX2 with FMA.

use std::arch::x86_64::{
    __m256, __m512, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_min_ps, _mm256_set1_ps,
    _mm256_storeu_ps, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_max_ps, _mm512_min_ps, _mm512_set1_ps,
    _mm512_storeu_ps,
};

use super::{Kernel, Simd};

macro_rules! token {
    ($(#[$doc:meta])* $token:ident, [$($feature:tt),+], $enable:literal, $vector:ty, lanes: $lanes:literal, rows: $rows:literal,
     $splat:ident, $fmadd:ident, $add:ident, $max:ident, $min:ident, $load:ident, $store:ident) => {
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
    _mm512_set1_ps, _mm512_fmadd_ps, _mm512_add_ps, _mm512_max_ps, _mm512_min_ps, _mm512_loadu_ps, _mm512_storeu_ps
}

token! {
    /// 256-bit vectors with fused multiply-add: 16 registers hold a tile of 6 x 16.
    Avx2, ["avx2", "fma"], "avx2,fma",
    __m256, lanes: 8, rows: 6,
    _mm256_set1_ps, _mm256_fmadd_ps, _mm256_add_ps, _mm256_max_ps, _mm256_min_ps, _mm256_loadu_ps, _mm256_storeu_ps
}
