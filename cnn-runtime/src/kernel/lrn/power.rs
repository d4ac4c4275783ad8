//! What scales are raised to.

use crate::desc::Lrn;
use crate::kernel::math::{exp, inv_fourth_root, ln};

/// A negative power of scales.
pub(super) trait Power: Copy {
    /// `scale^-beta` and `scale^(-beta - 1)`.
    fn of(self, scale: f32) -> [f32; 2];
}

/// The power that all known networks have.
#[derive(Clone, Copy)]
pub(super) struct ThreeQuarters;

impl ThreeQuarters {
    /// Whether it is the layer's, and its scales, none of which is below `k`, are normal numbers.
    pub(super) fn is_that_of(d: &Lrn) -> bool {
        d.beta == 0.75 && d.k >= f32::MIN_POSITIVE
    }
}

impl Power for ThreeQuarters {
    #[inline(always)]
    fn of(self, scale: f32) -> [f32; 2] {
        let root = inv_fourth_root(scale);
        let square = root * root;
        let power = square * root;
        [power, power * square * square]
    }
}

/// Any other one.
#[derive(Clone, Copy)]
pub(super) struct Beta(pub(super) f32);

impl Power for Beta {
    #[inline(always)]
    fn of(self, scale: f32) -> [f32; 2] {
        let power = exp(-self.0 * ln(scale));
        [power, power / scale]
    }
}
