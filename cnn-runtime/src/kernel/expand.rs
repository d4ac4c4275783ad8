//! Repetition of a value along its axes of size 1.

use super::broadcast::{Operand, Walk, first, map, reduce, signed};
use super::order::check_order;
use crate::desc::{Expand, Order, Write};

/// Repeats the input along the axes in which the output is larger.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn forward(d: &Expand, n: usize, input: &[f32], output: &mut [f32]) {
    check(d, n, input.len(), output.len());
    let walk = Walk::new(n, [d.output, d.input, d.input].map(Operand::of_samples));
    map::<false>(&walk, [input, input], output, first);
}

/// Sums the gradients of each element's copies.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn backward(d: &Expand, n: usize, d_output: &[f32], d_input: &mut [f32], write: Write) {
    check(d, n, d_input.len(), d_output.len());
    let walk = Walk::new(n, [d.input, d.output, d.output].map(Operand::of_samples));
    reduce(&walk, [d_output; 2], d_input, write, first, signed(1.0));
}

/// Checks lengths against `n` samples.
fn check(d: &Expand, n: usize, input: usize, output: usize) {
    assert_eq!(input, n * d.input.len(), "expand: input side of {n} samples");
    [d.input, d.output].iter().for_each(|map| check_order("expand", map.order, &[Order::Nchw]));
    assert_eq!(output, n * d.output.len(), "expand: output side of {n} samples");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desc::Map;
    use crate::kernel::arith::reference::repeated;
    use crate::kernel::pieces::PARALLEL;
    use crate::testing::{assert_close, assert_same_bits, same_on_any_threads, set_and_add, uniform};

    /// Runs both passes against their definition.
    fn check(input: Map, output: Map, n: usize) {
        let d = Expand { input, output };
        let x = uniform(1, n * input.len());
        let y = same_on_any_threads("forward", || {
            let mut y = vec![f32::NAN; n * output.len()];
            forward(&d, n, &x, &mut y);
            y
        });
        let expected: Vec<f32> = (0..y.len()).map(|i| x[repeated(output, input, i)]).collect();
        assert_same_bits("forward", &y, &expected);
        let d_output = uniform(2, y.len());
        let mut expected = vec![0.0; x.len()];
        for (i, &g) in d_output.iter().enumerate() {
            expected[repeated(output, input, i)] += f64::from(g);
        }
        let got = set_and_add("expand", x.len(), |d_input, write| backward(&d, n, &d_output, d_input, write));
        assert_close("backward", &got, &expected, 5e-6);
        let same = same_on_any_threads("backward", || {
            let mut d_input = vec![f32::NAN; x.len()];
            backward(&d, n, &d_output, &mut d_input, Write::Set);
            d_input
        });
        assert_same_bits("backward", &same, &got);
    }

    #[test]
    fn every_axis_and_all_together() {
        let whole = Map::new(3, 5, 19);
        for input in [[1, 1, 1], [3, 1, 1], [1, 5, 1], [1, 1, 19], [3, 5, 1], [1, 5, 19], [3, 1, 19], [3, 5, 19]] {
            for n in [1, 3] {
                check(Map::new(input[0], input[1], input[2]), whole, n);
            }
        }
        check(Map::new(1, 1, 1), Map::new(23, 1, 1), 3);
        check(Map::new(5, 1, 1), Map::new(5, 1, 1), 2);
    }

    #[test]
    fn large_values() {
        check(Map::new(3, 1, 1), Map::new(3, 61, 67), PARALLEL / (3 * 61 * 67) + 2);
        check(Map::new(1, 61, 67), Map::new(3, 61, 67), PARALLEL / (3 * 61 * 67) + 2);
    }
}
