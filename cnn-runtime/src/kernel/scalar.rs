//! The number types that reference kernels run in: `f32` to compare bits, `f64` as the truth for gradients.

use std::ops::{Add, AddAssign, Mul};

/// A floating-point number of either width.
pub trait Scalar: Copy + Default + PartialEq + Add<Output = Self> + AddAssign + Mul<Output = Self> {}

impl Scalar for f32 {}
impl Scalar for f64 {}
