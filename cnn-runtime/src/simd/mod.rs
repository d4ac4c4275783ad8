//! Vectors of `f32` as a trait over zero-sized tokens, one per instruction set.
//!
//! A token can only be had from [`crate::dispatch`], which has asked the processor first, so holding one proves that
//! its instructions exist. On stable Rust `#[target_feature]` does not combine with `#[inline(always)]`: bodies are
//! therefore generic and always inlined, and enter an instruction set through the one trampoline of its token,
//! [`Simd::call`].

#![allow(unsafe_code)] // vector loads and stores are by pointer

#[cfg(target_arch = "x86_64")]
pub(crate) mod amx;
mod portable;
pub(crate) mod shuffle;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "x86_64")]
pub(crate) use amx::Amx;
pub(crate) use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

/// Where the lanes `from..to` of a vector stand in two vectors that hold each second one of them.
#[inline(always)]
fn apart(lanes: usize, from: usize, to: usize) -> [std::ops::Range<usize>; 2] {
    let (from, to) = (2 * from, (2 * to).saturating_sub(1));
    [from.min(lanes)..to.min(lanes), from.saturating_sub(lanes)..to.saturating_sub(lanes)]
}

/// A computation written once for every instruction set.
pub(crate) trait Kernel {
    /// Runs it. Implementations are `#[inline(always)]`, and so is all they call that works on vectors.
    fn run<S: Simd>(self, simd: S);
}

/// An instruction set that is present on this machine.
pub(crate) trait Simd: Copy + Send + Sync {
    /// A register of `LANES` floats.
    type V: Copy;
    /// Floats per register.
    const LANES: usize;
    /// Most rows of a register tile that is two registers wide.
    const MR: usize;

    /// Compiles `kernel` for this instruction set and calls it; the call itself is not inlined.
    fn call<K: Kernel>(self, kernel: K);

    /// All lanes `x`.
    fn splat(self, x: f32) -> Self::V;
    /// `a * b + c`, fused where the processor can.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `a * b`.
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a + b`.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;

    /// The greater of both; `b` where one is NaN.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// The greater of both; NaN where one is, and `b` where both are equal.
    fn max_or_nan(self, a: Self::V, b: Self::V) -> Self::V;
    /// The lesser of both; `b` where one is NaN.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// `v` within `[low, high]`; NaN where it is.
    #[inline(always)]
    fn clamp(self, v: Self::V, low: Self::V, high: Self::V) -> Self::V {
        // In this order NaN passes through.
        self.min(high, self.max(low, v))
    }
    /// `a - b`.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// The lanes of `a` and after them those of `b`, picked by the first `LANES` of `indices`, each below `2 * LANES`.
    fn pick(self, a: Self::V, b: Self::V, indices: &[u32; 16]) -> Self::V;

    /// `x` where `a > b`, else `y`.
    fn select_gt(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;
    /// `x` where `a > b` or `a` is NaN, else `y`.
    fn select_gt_or_nan(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;
    /// `x` where `a == b`, else `y`.
    fn select_eq(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;

    /// Reads the lanes `from..to`; the others are zero, and their memory is not touched.
    ///
    /// # Safety
    /// `from` and `to` are at most `LANES`, and `p` is valid for reading the floats `from..to` after it.
    unsafe fn load_part(self, p: *const f32, from: usize, to: usize) -> Self::V;

    /// Writes the lanes `from..to`; the memory of the others is not touched.
    ///
    /// # Safety
    /// `from` and `to` are at most `LANES`, and `p` is valid for writing the floats `from..to` after it.
    unsafe fn store_part(self, p: *mut f32, v: Self::V, from: usize, to: usize);

    /// Writes those of the lanes `from..to` that are even; the memory of the others is not touched.
    ///
    /// # Safety
    /// `from` and `to` are at most `LANES`, and `p` is valid for writing the floats of these lanes.
    unsafe fn store_even(self, p: *mut f32, v: Self::V, from: usize, to: usize);

    /// Reads the lanes `from..to`, which stand two floats apart: lane `l` at `2 * l`. The others are zero.
    ///
    /// # Safety
    /// `from` and `to` are at most `LANES`, and `p` is valid for reading all floats from the first to the last lane.
    #[inline(always)]
    unsafe fn load_apart(self, p: *const f32, from: usize, to: usize) -> Self::V {
        let [low, high] = apart(Self::LANES, from, to);
        // SAFETY: the caller's promise.
        unsafe {
            let low = self.load_part(p, low.start, low.end);
            let high = self.load_part(p.wrapping_add(Self::LANES), high.start, high.end);
            self.pick(low, high, &shuffle::EVEN)
        }
    }

    /// Writes the lanes `from..to` two floats apart: lane `l` to `2 * l`. The memory between them is not touched.
    ///
    /// # Safety
    /// `from` and `to` are at most `LANES`, and `p` is valid for writing the floats of these lanes.
    #[inline(always)]
    unsafe fn store_apart(self, p: *mut f32, v: Self::V, from: usize, to: usize) {
        let [low, high] = apart(Self::LANES, from, to);
        let lower = const { &shuffle::in_turns(Self::LANES, 0) };
        let upper = const { &shuffle::in_turns(Self::LANES, Self::LANES / 2) };
        // SAFETY: the caller's promise.
        unsafe {
            self.store_even(p, self.pick(v, v, lower), low.start, low.end);
            self.store_even(p.wrapping_add(Self::LANES), self.pick(v, v, upper), high.start, high.end);
        }
    }

    /// The columns of a block of `LANES` x `LANES` floats whose rows stand a distance apart: the first `LANES` of the array.
    ///
    /// # Safety
    /// All rows are valid for reading.
    unsafe fn columns(self, from: *const f32, step: usize) -> [Self::V; 16];

    /// Transposes a block of `LANES` x `LANES` floats: rows from the first place, a distance apart, become columns at the
    /// second, whose rows are a distance apart.
    ///
    /// # Safety
    /// All rows are valid for reading and for writing.
    #[inline(always)]
    unsafe fn transpose(self, (from, from_step): (*const f32, usize), (to, to_step): (*mut f32, usize)) {
        // SAFETY: the caller's promise.
        unsafe {
            let columns = self.columns(from, from_step);
            for (row, &column) in columns.iter().enumerate().take(Self::LANES) {
                self.store(to.add(row * to_step), column);
            }
        }
    }

    /// Transposes a matrix of some rows and columns: rows stand a distance apart in the first slice, columns in the second.
    #[inline(always)]
    fn transposed(
        self,
        [rows, columns]: [usize; 2],
        (from, from_step): (&[f32], usize),
        (to, to_step): (&mut [f32], usize),
    ) {
        for row in (0..rows).step_by(Self::LANES) {
            for column in (0..columns).step_by(Self::LANES) {
                let (height, width) = ((rows - row).min(Self::LANES), (columns - column).min(Self::LANES));
                let from = &from[row * from_step + column..][..(height - 1) * from_step + width];
                let to = &mut to[column * to_step + row..][..(width - 1) * to_step + height];
                if height == Self::LANES && width == Self::LANES {
                    // SAFETY: both blocks are whole, and in their slices.
                    unsafe { self.transpose((from.as_ptr(), from_step), (to.as_mut_ptr(), to_step)) };
                    continue;
                }
                for i in 0..height {
                    for j in 0..width {
                        to[j * to_step + i] = from[i * from_step + j];
                    }
                }
            }
        }
    }

    /// Asks for the cache line at `p` ahead of time, where the processor can; any address will do.
    #[inline(always)]
    fn prefetch(self, _p: *const f32) {}

    /// As [`Simd::prefetch`], for later: only into the second-level cache.
    #[inline(always)]
    fn prefetch_later(self, _p: *const f32) {}

    /// Reads `LANES` floats.
    ///
    /// # Safety
    /// `p` is valid for reading `LANES` floats; no alignment is asked for.
    unsafe fn load(self, p: *const f32) -> Self::V;

    /// Reads `LANES` whole numbers, and rounds them to floats.
    ///
    /// # Safety
    /// `p` is valid for reading `LANES` numbers; no alignment is asked for.
    #[cfg(target_arch = "x86_64")]
    unsafe fn load_whole(self, p: *const i32) -> Self::V;

    /// Writes `LANES` floats.
    ///
    /// # Safety
    /// `p` is valid for writing `LANES` floats; no alignment is asked for.
    unsafe fn store(self, p: *mut f32, v: Self::V);

    /// Writes `LANES` floats past the caches, where the processor can: for more than they hold. Other threads see it after
    /// a [`Simd::fence`] of this one.
    ///
    /// # Safety
    /// `p` is valid for writing `LANES` floats, and a multiple of as many bytes as they take up.
    #[inline(always)]
    unsafe fn stream(self, p: *mut f32, v: Self::V) {
        // SAFETY: the caller's promise.
        unsafe { self.store(p, v) };
    }

    /// Ends what was written by [`Simd::stream`].
    #[inline(always)]
    fn fence(self) {}

    /// The sum of all lanes, added up pairwise in a fixed order.
    #[inline(always)]
    fn sum(self, v: Self::V) -> f32 {
        let mut lanes = [0.0; 16];
        // SAFETY: no instruction set here has more than 16 lanes.
        unsafe { self.store(lanes.as_mut_ptr(), v) };
        let mut width = Self::LANES;
        while width > 1 {
            width /= 2;
            for i in 0..width {
                lanes[i] += lanes[i + width];
            }
        }
        lanes[0]
    }

    /// As [`Simd::sum`], of `LANES` vectors that stand one behind the other.
    ///
    /// # Safety
    /// All vectors are valid for reading.
    #[inline(always)]
    unsafe fn sums(self, from: *const f32) -> Self::V {
        // SAFETY: the caller's promise.
        let mut sums = unsafe { self.columns(from, Self::LANES) };
        let mut width = Self::LANES;
        while width > 1 {
            width /= 2;
            for i in 0..width {
                sums[i] = self.add(sums[i], sums[i + width]);
            }
        }
        sums[0]
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::{Kernel, Simd};
    use crate::dispatch::Isa;
    use crate::testing::uniform;

    struct Products<'a> {
        numbers: &'a [i32; 16],
        by: f32,
        products: &'a mut [f32; 16],
    }

    impl Kernel for Products<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            for (numbers, products) in self.numbers.chunks_exact(S::LANES).zip(self.products.chunks_exact_mut(S::LANES))
            {
                // SAFETY: both chunks are a vector long.
                unsafe {
                    let product = simd.mul(simd.load_whole(numbers.as_ptr()), simd.splat(self.by));
                    simd.store(products.as_mut_ptr(), product);
                }
            }
        }
    }

    #[test]
    fn whole_numbers_are_rounded_to_floats() {
        let mut numbers = std::array::from_fn(|i| (i as i32 - 8) * 1_234_567);
        numbers[..4].copy_from_slice(&[i32::MAX, i32::MIN, 0, (1 << 24) + 1]);
        for isa in Isa::available() {
            let mut products = [f32::NAN; 16];
            isa.run(Products { numbers: &numbers, by: -1.5, products: &mut products });
            assert_eq!(products, numbers.map(|number| number as f32 * -1.5), "on {isa:?}");
        }
    }

    struct Sums;

    impl Kernel for Sums {
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let vectors = uniform(1, S::LANES * S::LANES);
            let mut sums = [f32::NAN; 16];
            // SAFETY: as many vectors as a vector has lanes, and room for one.
            unsafe { simd.store(sums.as_mut_ptr(), simd.sums(vectors.as_ptr())) };
            // SAFETY: each chunk is a vector long.
            let one_by_one = vectors.chunks_exact(S::LANES).map(|v| simd.sum(unsafe { simd.load(v.as_ptr()) }));
            assert_eq!(sums[..S::LANES], one_by_one.collect::<Vec<_>>());
        }
    }

    #[test]
    fn lanes_of_many_vectors_are_added_up_like_those_of_one() {
        Isa::available().for_each(|isa| isa.run(Sums));
    }
}
