//! One body, compiled for each instruction set and chosen at run time.
#![allow(unsafe_code)] // The trampolines below are called only where the processor has what they enable.

/// Runs `f` compiled for the widest vectors this processor has. What `f` calls must be inlined into it
/// (`#[inline(always)]`, on the closure too), or it keeps the vectors of the base instruction set.
///
/// No instruction set may contract `a * b + c`, so that all give the same bits.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn wide<R>(f: impl FnOnce() -> R) -> R {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    fn avx512<R>(f: impl FnOnce() -> R) -> R {
        f()
    }
    #[target_feature(enable = "avx2")]
    fn avx2<R>(f: impl FnOnce() -> R) -> R {
        f()
    }
    if std::is_x86_feature_detected!("avx512f")
        && std::is_x86_feature_detected!("avx512bw")
        && std::is_x86_feature_detected!("avx512dq")
        && std::is_x86_feature_detected!("avx512vl")
    {
        // SAFETY: all features it enables were detected just above.
        unsafe { avx512(f) }
    } else if std::is_x86_feature_detected!("avx2") {
        // SAFETY: AVX2 was detected just above.
        unsafe { avx2(f) }
    } else {
        f()
    }
}

/// Runs `f`.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(crate) fn wide<R>(f: impl FnOnce() -> R) -> R {
    f()
}
