//! Axes in another order: a copy.

use super::order::check_order;
use super::pieces::{each, put};
use super::wide::wide;
use crate::desc::{Map, Order, Permute, Write};

/// Rows and columns that are moved together: what one cache line holds.
const TILE: usize = 16;

/// Writes the input's elements with its axes in the order `d.order`.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn forward(d: &Permute, n: usize, input: &[f32], output: &mut [f32]) {
    check(d, n, [input.len(), output.len()]);
    rearrange::<false>(d, input, output);
}

/// Brings the gradients back to the order of the input.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn backward(d: &Permute, n: usize, d_output: &[f32], d_input: &mut [f32], write: Write) {
    check(d, n, [d_input.len(), d_output.len()]);
    let mut order = [0; 3];
    for (at, axis) in d.order.into_iter().enumerate() {
        order[axis] = at;
    }
    let back = Permute { input: d.output(), order };
    match write {
        Write::Set => rearrange::<false>(&back, d_output, d_input),
        Write::Add => rearrange::<true>(&back, d_output, d_input),
    }
}

/// Checks the lengths of both sides.
fn check(d: &Permute, n: usize, lens: [usize; 2]) {
    assert_eq!(lens, [n * d.input.len(); 2], "permute: both sides of {n} samples");
    check_order("permute", d.input.order, &[Order::Nchw]);
}

/// Sets or adds each element of `from` at its new place, a slice along the target's outermost axis after the other.
fn rearrange<const ADD: bool>(d: &Permute, from: &[f32], to: &mut [f32]) {
    let Map { c, h, w, .. } = d.output();
    let steps = d.order.map(|axis| [d.input.plane(), d.input.w, 1][axis]);
    each(to, h * w, from.len(), |slice, to| {
        let from = &from[slice / c * d.input.len() + slice % c * steps[0]..];
        wide(
            #[inline(always)]
            || {
                if steps[2] == 1 {
                    for (row, to) in to.chunks_exact_mut(w).enumerate() {
                        to.iter_mut().zip(&from[row * steps[1]..]).for_each(|(to, &from)| put::<ADD>(to, from));
                    }
                } else {
                    tiles::<ADD>([h, w], [steps[1], steps[2]], from, to);
                }
            },
        );
    });
}

/// One slice of rows and columns whose elements stand `steps` apart in `from`.
#[inline(always)]
fn tiles<const ADD: bool>([h, w]: [usize; 2], steps: [usize; 2], from: &[f32], to: &mut [f32]) {
    for top in (0..h).step_by(TILE) {
        for left in (0..w).step_by(TILE) {
            let columns = left..w.min(left + TILE);
            for row in top..h.min(top + TILE) {
                for column in columns.clone() {
                    put::<ADD>(&mut to[row * w + column], from[row * steps[0] + column * steps[1]]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::pieces::PARALLEL;
    use crate::testing::{assert_same_bits, same_on_any_threads, set_and_add, uniform};

    const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

    fn run(d: &Permute, n: usize, x: &[f32]) -> Vec<f32> {
        let mut y = vec![f32::NAN; x.len()];
        forward(d, n, x, &mut y);
        y
    }

    #[test]
    fn a_known_case() {
        // Two channels of one row become pixels of two channels.
        let d = Permute { input: Map::new(2, 1, 3), order: [1, 2, 0] };
        assert_eq!(d.output(), Map::new(1, 3, 2));
        assert_eq!(run(&d, 1, &[1., 2., 3., 4., 5., 6.]), [1., 4., 2., 5., 3., 6.]);
    }

    #[test]
    fn forward_and_backward_follow_each_element() {
        for input in [Map::new(3, 5, 7), Map::new(19, 2, 37), Map::new(1, 23, 1), Map::new(1, 1, 1)] {
            for (order, n) in ORDERS.into_iter().flat_map(|order| [(order, 1), (order, 3)]) {
                let d = Permute { input, order };
                let (x, output) = (uniform(1, n * input.len()), d.output());
                let source = |i: usize| {
                    let place = [i / output.plane() % output.c, i / output.w % output.h, i % output.w];
                    let mut at = [0; 3];
                    (0..3).for_each(|axis| at[order[axis]] = place[axis]);
                    i / output.len() * input.len() + (at[0] * input.h + at[1]) * input.w + at[2]
                };
                let expected: Vec<f32> = (0..x.len()).map(|i| x[source(i)]).collect();
                assert_same_bits("forward", &run(&d, n, &x), &expected);
                let d_output = uniform(2, x.len());
                let mut expected = vec![f32::NAN; x.len()];
                d_output.iter().enumerate().for_each(|(i, &g)| expected[source(i)] = g);
                let got = set_and_add("permute", x.len(), |d_input, write| backward(&d, n, &d_output, d_input, write));
                assert_same_bits("backward", &got, &expected);
            }
        }
    }

    #[test]
    fn a_large_batch_is_the_same_on_any_threads() {
        let d = Permute { input: Map::new(5, 61, 67), order: [1, 2, 0] };
        let n = PARALLEL / d.input.len() + 2;
        let x = uniform(1, n * d.input.len());
        let y = same_on_any_threads("forward", || run(&d, n, &x));
        let mut back = vec![f32::NAN; x.len()];
        backward(&d, n, &y, &mut back, Write::Set);
        assert_same_bits("there and back", &back, &x);
    }
}
