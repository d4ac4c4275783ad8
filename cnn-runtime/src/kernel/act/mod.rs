//! Pointwise activation functions.
//!
//! The backward pass reads what the forward pass left: the output where the slope follows from it (so that the
//! activation may run in place), else the input; see [`Act::saves_output`].

#[cfg(test)]
pub(super) mod reference;
#[cfg(test)]
mod tests;

use super::math::{clamp, exp, exp_m1, normal, sigmoid, tanh};
use super::pieces::{map, map1, map2, put};
use crate::desc::{Act, Write};

/// An activation by its value, and by its gradient from what was saved.
trait Pointwise: Copy + Sync {
    /// The output for input `x`.
    fn value(self, x: f32) -> f32;
    /// The gradient by the input, where `d` is the gradient by the output.
    fn gradient(self, saved: f32, d: f32) -> f32;
}

/// Implements [`Pointwise`] for a struct: the closures' `self` is the first identifier.
macro_rules! pointwise {
    ($name:ident $(($($field:ty),+))?, |$this:ident, $x:ident| $value:expr, |$saved:ident, $d:ident| $gradient:expr) => {
        #[derive(Clone, Copy)]
        struct $name$(($($field),+))?;

        impl Pointwise for $name {
            #[inline(always)]
            fn value(self, $x: f32) -> f32 {
                let $this = self;
                $value
            }

            #[inline(always)]
            fn gradient(self, $saved: f32, $d: f32) -> f32 {
                let $this = self;
                $gradient
            }
        }
    };
}

// Comparisons are written so that NaN passes through.
pointwise!(Relu, |_a, x| if x < 0.0 { 0.0 } else { x }, |y, d| if y <= 0.0 { 0.0 } else { d });
pointwise!(LeakyRelu(f32), |a, x| if x > 0.0 { x } else { x * a.0 }, |y, d| if y > 0.0 { d } else { d * a.0 });
pointwise!(
    Relu6,
    |_a, x| {
        let x = if x < 0.0 { 0.0 } else { x };
        if x > 6.0 { 6.0 } else { x }
    },
    |y, d| if y <= 0.0 || y >= 6.0 { 0.0 } else { d }
);
pointwise!(Elu(f32), |a, x| if x > 0.0 { x } else { a.0 * exp_m1(x) }, |saved, d| {
    // For a positive alpha the output is saved, for others the input.
    let slope = if a.0 > 0.0 { saved + a.0 } else { a.0 * exp(saved) };
    if saved > 0.0 { d } else { d * slope }
});
pointwise!(Gelu, |_a, x| x * normal(x).0, |x, d| {
    let (below, density) = normal(x);
    d * (below + x * density)
});
pointwise!(Silu, |_a, x| x * sigmoid(x), |x, d| {
    let s = sigmoid(x);
    d * (s * (1.0 + x * (1.0 - s)))
});
pointwise!(HardSwish, |_a, x| x * Relu6.value(x + 3.0) * (1.0 / 6.0), |x, d| {
    let inner = d * (x * (1.0 / 3.0) + 0.5);
    let outer = if x < -3.0 { 0.0 } else { d };
    if x.abs() <= 3.0 { inner } else { outer }
});
pointwise!(Tanh, |_a, x| tanh(x), |y, d| d * (1.0 - y * y));
pointwise!(Sigmoid, |_a, x| sigmoid(x), |y, d| d * (y * (1.0 - y)));

pointwise!(Selu(f32, f32), |a, x| if x > 0.0 { a.1 * x } else { a.0 * a.1 * exp_m1(x) }, |saved, d| {
    // As for `Elu`: where both are positive the output is saved, else the input.
    let depth = a.0 * a.1;
    let slope = if a.0 > 0.0 && a.1 > 0.0 { saved + depth } else { depth * exp(saved) };
    if saved > 0.0 { d * a.1 } else { d * slope }
});
pointwise!(Clip(f32, f32), |a, x| clamp(x, a.0, a.1), |y, d| if y <= a.0 || y >= a.1 { 0.0 } else { d });
pointwise!(HardSigmoid(f32, f32), |a, x| Clip(0.0, 1.0).value(a.0 * x + a.1), |y, d| if y <= 0.0 || y >= 1.0 {
    0.0
} else {
    d * a.0
});
pointwise!(GeluTanh, |_a, x| 0.5 * x * (1.0 + tanh(inner(x).0)), |x, d| {
    // Beyond, the derivative is 0 or 1; the powers would overflow.
    let x = Clip(-10.0, 10.0).value(x);
    let (u, slope) = inner(x);
    let t = tanh(u);
    d * (0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * slope)
});
pointwise!(Affine(f32, f32), |a, x| a.0 * x + a.1, |_y, d| d * a.0);
pointwise!(Reciprocal, |_a, x| 1.0 / x, |y, d| -d * (y * y));

/// What `GeluTanh` takes the hyperbolic tangent of, and its derivative.
#[inline(always)]
fn inner(x: f32) -> (f32, f32) {
    const ROOT: f32 = 0.797_884_6; // of 2 / pi
    (ROOT * (x + 0.044_715 * (x * x * x)), ROOT * (1.0 + 0.134_145 * (x * x)))
}

/// Evaluates the body with the [`Pointwise`] of an [`Act`].
macro_rules! with {
    ($act:expr, |$f:ident| $body:expr) => {
        match $act {
            Act::Relu => {
                let $f = Relu;
                $body
            }
            Act::LeakyRelu(slope) => {
                let $f = LeakyRelu(slope);
                $body
            }
            Act::Relu6 => {
                let $f = Relu6;
                $body
            }
            Act::Elu(alpha) => {
                let $f = Elu(alpha);
                $body
            }
            Act::Gelu => {
                let $f = Gelu;
                $body
            }
            Act::Silu => {
                let $f = Silu;
                $body
            }
            Act::HardSwish => {
                let $f = HardSwish;
                $body
            }
            Act::Tanh => {
                let $f = Tanh;
                $body
            }
            Act::Sigmoid => {
                let $f = Sigmoid;
                $body
            }
            Act::Selu { alpha, gamma } => {
                let $f = Selu(alpha, gamma);
                $body
            }
            Act::Clip { lo, hi } => {
                let $f = Clip(lo, hi);
                $body
            }
            Act::HardSigmoid { alpha, beta } => {
                let $f = HardSigmoid(alpha, beta);
                $body
            }
            Act::GeluTanh => {
                let $f = GeluTanh;
                $body
            }
            Act::Affine { mul, add } => {
                let $f = Affine(mul, add);
                $body
            }
            Act::Reciprocal => {
                let $f = Reciprocal;
                $body
            }
        }
    };
}

/// `output = a(input)`.
///
/// # Panics
/// If the lengths differ.
pub fn forward(a: Act, input: &[f32], output: &mut [f32]) {
    assert_eq!(input.len(), output.len(), "act: input and output");
    with!(a, |f| map1(
        output,
        input,
        #[inline(always)]
        |y, x| *y = f.value(x),
    ));
}

/// `io = a(io)`.
pub fn forward_inplace(a: Act, io: &mut [f32]) {
    with!(a, |f| map(
        io,
        #[inline(always)]
        |x| *x = f.value(*x),
    ));
}

/// The gradient by the input from `saved` (see [`Act::saves_output`]) and the gradient by the output.
///
/// # Panics
/// If the lengths differ.
pub fn backward(a: Act, saved: &[f32], d_output: &[f32], d_input: &mut [f32], write: Write) {
    assert_eq!(saved.len(), d_input.len(), "act: saved values and gradient by the input");
    assert_eq!(d_output.len(), d_input.len(), "act: gradients by the output and by the input");
    match write {
        Write::Set => with!(a, |f| gradients::<false>(f, saved, d_output, d_input)),
        Write::Add => with!(a, |f| gradients::<true>(f, saved, d_output, d_input)),
    }
}

/// [`backward`] for one function.
fn gradients<const ADD: bool>(f: impl Pointwise, saved: &[f32], d_output: &[f32], d_input: &mut [f32]) {
    map2(
        d_input,
        [saved, d_output],
        #[inline(always)]
        |dx, s, dy| put::<ADD>(dx, f.gradient(s, dy)),
    );
}

/// Turns the gradient by the output in `d` into the gradient by the input.
///
/// # Panics
/// If the lengths differ.
pub fn backward_inplace(a: Act, saved: &[f32], d: &mut [f32]) {
    assert_eq!(saved.len(), d.len(), "act: saved values and gradient");
    with!(a, |f| map1(
        d,
        saved,
        #[inline(always)]
        |d, s| *d = f.gradient(s, *d),
    ));
}
