//! What the processor can do: independent multiply-adds that never leave the registers.

#![allow(unsafe_code)] // calls a function compiled for instructions that were detected

use std::hint::black_box;
use std::time::Instant;

/// Multiply-adds of one call, per lane and chain.
const STEPS: usize = 50_000;

/// Chains: enough to cover the latency of a multiply-add on two units.
const CHAINS: usize = 12;

macro_rules! chains {
    ($name:ident, $features:literal, $lanes:literal, $splat:ident, $fmadd:ident) => {
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = $features)]
        fn $name() -> usize {
            use std::arch::x86_64::{$fmadd, $splat};
            let (factor, addend) = ($splat(black_box(0.999)), $splat(black_box(0.001)));
            let mut sums = [$splat(1.0); CHAINS];
            for _ in 0..STEPS {
                for sum in &mut sums {
                    *sum = $fmadd(*sum, factor, addend);
                }
            }
            black_box(sums);
            2 * STEPS * CHAINS * $lanes
        }
    };
}

chains!(avx512, "avx512f", 16, _mm512_set1_ps, _mm512_fmadd_ps);
chains!(avx2, "avx2,fma", 8, _mm256_set1_ps, _mm256_fmadd_ps);

/// Without intrinsics: what the compiler makes of products and sums.
fn portable() -> usize {
    let (factor, addend) = (black_box([0.999_f32; 4]), black_box([0.001_f32; 4]));
    let mut sums = [[1.0_f32; 4]; 8];
    for _ in 0..STEPS {
        for sum in &mut sums {
            *sum = std::array::from_fn(|i| sum[i] * factor[i] + addend[i]);
        }
    }
    black_box(sums);
    2 * STEPS * 8 * 4
}

/// The fastest loop that this machine's instructions allow.
fn once() -> usize {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the feature was detected just above.
        return unsafe { avx512() };
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the features were detected just above.
        return unsafe { avx2() };
    }
    portable()
}

/// GFLOP/s of all threads of the current pool together, right now: of one short loop on each.
pub fn now() -> f64 {
    rayon::broadcast(|_| {
        let start = Instant::now();
        once() as f64 / start.elapsed().as_secs_f64() / 1e9
    })
    .into_iter()
    .sum()
}
