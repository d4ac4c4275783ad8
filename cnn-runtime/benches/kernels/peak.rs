//! What the processor can do: independent multiply-adds that never leave the registers.

#![allow(unsafe_code)] // calls a function compiled for instructions that were detected

use std::hint::black_box;
use std::time::Instant;

/// Multiply-adds of one call, per lane and chain.
const STEPS: usize = 200_000;

/// Runs `CHAINS` chains of multiply-adds on vectors of `LANES` lanes and returns the number of operations.
#[inline(always)]
fn chains<const CHAINS: usize, const LANES: usize>(fused: bool) -> usize {
    let (factor, addend) = (black_box([0.999_f32; LANES]), black_box([0.001_f32; LANES]));
    let mut sums = [[1.0_f32; LANES]; CHAINS];
    for _ in 0..STEPS {
        for sum in &mut sums {
            for (lane, (f, a)) in sum.iter_mut().zip(factor.iter().zip(&addend)) {
                *lane = if fused { lane.mul_add(*f, *a) } else { *lane * *f + *a };
            }
        }
    }
    black_box(sums);
    2 * STEPS * CHAINS * LANES
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,fma")]
fn avx512() -> usize {
    chains::<12, 16>(true)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2() -> usize {
    chains::<12, 8>(true)
}

/// The fastest loop that this machine's instructions allow.
fn once() -> usize {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
        // SAFETY: the features were detected just above; machines with AVX-512 have fused multiply-add.
        return unsafe { avx512() };
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the features were detected just above.
        return unsafe { avx2() };
    }
    chains::<12, 4>(false)
}

/// GFLOP/s of `threads` threads of the current pool together, the best of several runs.
pub fn gflops(threads: usize) -> f64 {
    let run = || {
        let start = Instant::now();
        let operations: usize = rayon::broadcast(|_| once()).into_iter().take(threads).sum();
        operations as f64 / start.elapsed().as_secs_f64() / 1e9
    };
    (0..20).map(|_| run()).fold(0.0, f64::max)
}
