//! Plain loops compiled for each instruction set and chosen at run time.

use crate::dispatch::Isa;
use crate::simd::{Kernel, Simd};

/// A closure as a kernel.
struct Body<F>(F);

impl<F: FnOnce()> Kernel for Body<F> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        (self.0)();
    }
}

/// Runs `f` compiled for the instruction set in use, so that the compiler makes vectors of its width. What `f` calls
/// must be inlined into it (`#[inline(always)]`, on the closure too), or it keeps the base instruction set.
///
/// Plain `a * b + c` is never fused, so all instruction sets give the same bits.
#[inline]
pub(crate) fn wide(f: impl FnOnce()) {
    Isa::active().run(Body(f));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::math::{exp, exp_m1, inv_fourth_root, ln, normal, sigmoid, tanh};
    use crate::kernel::sums::{max, sum, sum2};
    use crate::testing::{assert_same_bits, uniform};

    /// What each elementary function and reduction gives on one instruction set.
    fn all(isa: Isa, x: &[f32]) -> Vec<f32> {
        let mut y = vec![0.0; x.len() * 8 + 3];
        isa.run(Body(
            #[inline(always)]
            || {
                let (elements, sums) = y.split_at_mut(x.len() * 8);
                for (y, &x) in elements.chunks_exact_mut(8).zip(x) {
                    let (below, density) = normal(x);
                    let (logarithm, root) = (ln(x.abs()), inv_fourth_root(x.abs()));
                    y.copy_from_slice(&[exp(x), exp_m1(x), tanh(x), sigmoid(x), below, density, logarithm, root]);
                }
                sums.copy_from_slice(&[sum(x, |x| x * x), sum2(x, x, |a, b| a * b + a), max(x)]);
            },
        ));
        y
    }

    #[test]
    fn instruction_sets_agree_bit_for_bit() {
        let x: Vec<f32> = uniform(1, 1009).iter().map(|x| 30.0 * x).collect();
        let sets: Vec<Isa> = Isa::available().collect();
        let portable = all(sets[sets.len() - 1], &x);
        for isa in sets {
            assert_same_bits(isa.name(), &all(isa, &x), &portable);
        }
    }
}
