//! The vector of sixteen channels that a map in blocks has at each position: one register, or several narrower ones.

#![allow(unsafe_code)] // vectors are read and written by pointer

use std::ops::{Add, Mul, Sub};

use crate::desc::Order;
use crate::simd::Simd;

/// A value of each channel of a block, in memory.
pub(crate) type Lanes<T = f32> = [T; Order::BLOCK];

/// The vectors of a slice.
#[inline(always)]
pub(crate) fn vectors(values: &[f32]) -> &[Lanes] {
    values.as_chunks().0
}

/// The vectors of a slice that is written.
#[inline(always)]
pub(crate) fn vectors_mut(values: &mut [f32]) -> &mut [Lanes] {
    values.as_chunks_mut().0
}

/// A value for each channel of a block.
#[inline(always)]
pub(crate) fn lanes<T: Copy + Default>(f: impl Fn(usize) -> T) -> Lanes<T> {
    // Not by `array::from_fn`, inside which a closure may end up as a function of the base instruction set.
    let mut lanes = [T::default(); Order::BLOCK];
    for (c, lane) in lanes.iter_mut().enumerate() {
        *lane = f(c);
    }
    lanes
}

/// Registers of the narrowest instruction set that hold a block.
const MOST: usize = 4;

/// A value of each channel of a block, in registers.
#[derive(Clone, Copy)]
pub(crate) struct Sixteen<S: Simd> {
    simd: S,
    /// As many as it takes; the compiler sees that the others are not used.
    registers: [S::V; MOST],
}

impl<S: Simd> Sixteen<S> {
    /// Registers in use.
    const COUNT: usize = Order::BLOCK / S::LANES;

    /// Each register from its index.
    #[inline(always)]
    pub(crate) fn of(simd: S, f: impl Fn(usize) -> S::V) -> Self {
        let mut registers = [simd.splat(0.0); MOST];
        for (i, register) in registers.iter_mut().enumerate().take(Self::COUNT) {
            *register = f(i);
        }
        Sixteen { simd, registers }
    }

    /// All channels `x`.
    #[inline(always)]
    pub(crate) fn splat(simd: S, x: f32) -> Self {
        Self::of(
            simd,
            #[inline(always)]
            |_| simd.splat(x),
        )
    }

    /// Reads a vector.
    #[inline(always)]
    pub(crate) fn load(simd: S, from: &Lanes) -> Self {
        // SAFETY: the registers are as wide as the vector.
        Self::of(
            simd,
            #[inline(always)]
            |i| unsafe { simd.load(from.as_ptr().add(i * S::LANES)) },
        )
    }

    /// Writes a vector.
    #[inline(always)]
    pub(crate) fn store(self, to: &mut Lanes) {
        for (i, register) in self.registers.into_iter().enumerate().take(Self::COUNT) {
            // SAFETY: the registers are as wide as the vector.
            unsafe { self.simd.store(to.as_mut_ptr().add(i * S::LANES), register) };
        }
    }

    /// The vector in memory.
    #[inline(always)]
    pub(crate) fn lanes(self) -> Lanes {
        let mut lanes = [0.0; Order::BLOCK];
        self.store(&mut lanes);
        lanes
    }

    /// These within `[low, high]`; NaN where they are.
    #[inline(always)]
    pub(crate) fn clamp(self, low: Self, high: Self) -> Self {
        Self::of(
            self.simd,
            #[inline(always)]
            |i| self.simd.clamp(self.registers[i], low.registers[i], high.registers[i]),
        )
    }

    /// Of `x` and `y`, the first where this is more than `best`, or NaN.
    #[inline(always)]
    pub(crate) fn if_wins(self, best: Self, x: Self, y: Self) -> Self {
        let (a, b, x, y) = (self.registers, best.registers, x.registers, y.registers);
        Self::of(
            self.simd,
            #[inline(always)]
            |i| self.simd.select_gt_or_nan(a[i], b[i], x[i], y[i]),
        )
    }

    /// This where `a` and `b` are equal, else zero.
    #[inline(always)]
    pub(crate) fn if_equal(self, a: Self, b: Self) -> Self {
        let zero = self.simd.splat(0.0);
        Self::of(
            self.simd,
            #[inline(always)]
            |i| self.simd.select_eq(a.registers[i], b.registers[i], self.registers[i], zero),
        )
    }

    /// `self * factor + term`, fused where the processor can.
    #[inline(always)]
    pub(crate) fn mul_add(self, factor: Self, term: Self) -> Self {
        let [a, b, c] = [self.registers, factor.registers, term.registers];
        Self::of(
            self.simd,
            #[inline(always)]
            |i| self.simd.mul_add(a[i], b[i], c[i]),
        )
    }
}

impl<S: Simd> Add for Sixteen<S> {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self::of(
            self.simd,
            #[inline(always)]
            |i| self.simd.add(self.registers[i], other.registers[i]),
        )
    }
}

impl<S: Simd> Mul for Sixteen<S> {
    type Output = Self;

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self::of(
            self.simd,
            #[inline(always)]
            |i| self.simd.mul(self.registers[i], other.registers[i]),
        )
    }
}

impl<S: Simd> Sub for Sixteen<S> {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self::of(
            self.simd,
            #[inline(always)]
            |i| self.simd.sub(self.registers[i], other.registers[i]),
        )
    }
}
