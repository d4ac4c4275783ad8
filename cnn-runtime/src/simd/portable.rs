//! Four floats in an array: LLVM makes vector instructions of it on every target that has them.

use super::{Kernel, Simd};

/// Plain Rust, for processors without a token of their own.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Simd for Portable {
    type V = [f32; 4];
    const LANES: usize = 4;
    const MR: usize = 6;

    #[inline(always)]
    fn call<K: Kernel>(self, kernel: K) {
        trampoline(kernel);
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        [x; 4]
    }

    // Not `f32::mul_add`, which is a slow library call where there is no such instruction.
    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        [a[0] * b[0] + c[0], a[1] * b[1] + c[1], a[2] * b[2] + c[2], a[3] * b[3] + c[3]]
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]]
    }

    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }

    #[inline(always)]
    fn max_or_nan(self, a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| if a[i] > b[i] || a[i].is_nan() { a[i] } else { b[i] })
    }

    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| if a[i] < b[i] { a[i] } else { b[i] })
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        [a[0] * b[0], a[1] * b[1], a[2] * b[2], a[3] * b[3]]
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load_whole(self, p: *const i32) -> Self::V {
        // SAFETY: the caller's promise.
        std::array::from_fn(|i| unsafe { p.add(i).read_unaligned() } as f32)
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        [a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3]]
    }

    #[inline(always)]
    fn pick(self, a: Self::V, b: Self::V, indices: &[u32; 16]) -> Self::V {
        let both = [a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]];
        std::array::from_fn(|i| both[indices[i] as usize % 8])
    }

    #[inline(always)]
    fn select_gt(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
        std::array::from_fn(|i| if a[i] > b[i] { x[i] } else { y[i] })
    }

    #[inline(always)]
    fn select_gt_or_nan(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
        std::array::from_fn(|i| if a[i] > b[i] || a[i].is_nan() { x[i] } else { y[i] })
    }

    #[inline(always)]
    fn select_eq(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
        std::array::from_fn(|i| if a[i] == b[i] { x[i] } else { y[i] })
    }

    #[inline(always)]
    unsafe fn load_part(self, p: *const f32, from: usize, to: usize) -> Self::V {
        let mut v = [0.0; 4];
        for (i, lane) in v.iter_mut().enumerate().take(to).skip(from) {
            // SAFETY: the caller promises that these floats are readable.
            *lane = unsafe { p.wrapping_add(i).read() };
        }
        v
    }

    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, v: Self::V, from: usize, to: usize) {
        for (i, &lane) in v.iter().enumerate().take(to).skip(from) {
            // SAFETY: the caller promises that these floats are writable.
            unsafe { p.wrapping_add(i).write(lane) };
        }
    }

    #[inline(always)]
    unsafe fn store_even(self, p: *mut f32, v: Self::V, from: usize, to: usize) {
        for (i, &lane) in v.iter().enumerate().take(to).skip(from).filter(|(i, _)| i % 2 == 0) {
            // SAFETY: the caller promises that these floats are writable.
            unsafe { p.wrapping_add(i).write(lane) };
        }
    }

    #[inline(always)]
    unsafe fn columns(self, from: *const f32, step: usize) -> [Self::V; 16] {
        let mut columns = [[0.0; 4]; 16];
        for (c, column) in columns.iter_mut().enumerate().take(4) {
            for (r, lane) in column.iter_mut().enumerate() {
                // SAFETY: the caller promises four rows of four floats.
                *lane = unsafe { from.add(r * step + c).read() };
            }
        }
        columns
    }

    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> Self::V {
        // SAFETY: the caller promises four readable floats.
        unsafe { p.cast::<[f32; 4]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: Self::V) {
        // SAFETY: the caller promises four writable floats.
        unsafe { p.cast::<[f32; 4]>().write_unaligned(v) }
    }
}

#[inline(never)]
fn trampoline<K: Kernel>(kernel: K) {
    kernel.run(Portable);
}
