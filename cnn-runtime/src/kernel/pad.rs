//! Padding around a map: a value, its nearest pixels, or its reflection.

use super::order::check_order;
use super::pieces::{each, part};
use crate::desc::{Fill, Order, Pad, Write};

/// Rows and columns of one output plane.
fn padded(d: &Pad) -> [usize; 2] {
    let [top, left, bottom, right] = d.pad;
    [top + d.input.h + bottom, left + d.input.w + right]
}

/// Checks lengths against `n` samples and returns the output's rows and columns.
fn check(d: &Pad, n: usize, input: usize, output: usize) -> [usize; 2] {
    let [h, w] = padded(d);
    assert_eq!(input, n * d.input.len(), "pad: input side of {n} samples");
    check_order("pad", d.input.order, &[Order::Nchw]);
    assert_eq!(output, n * d.input.c * h * w, "pad: output side of {n} samples");
    let [top, left, bottom, right] = d.pad;
    let few = top.max(bottom) < d.input.h && left.max(right) < d.input.w;
    assert!(d.fill != Fill::Reflect || few, "pad: a reflection of fewer rows and columns than there are");
    [h, w]
}

/// The input in the place of output `o` along an axis of `size` inputs, with `before` outputs before the first.
#[inline(always)]
fn source(fill: Fill, o: usize, before: usize, size: usize) -> usize {
    let last = size - 1;
    match fill {
        Fill::Reflect if o < before => before - o,
        Fill::Reflect if o - before > last => 2 * last - (o - before),
        _ => o.saturating_sub(before).min(last),
    }
}

/// Copies each plane into the middle of a larger one.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn forward(d: &Pad, n: usize, input: &[f32], output: &mut [f32]) {
    let [h, w] = check(d, n, input.len(), output.len());
    let [top, left, ..] = d.pad;
    each(output, h * w, n * d.input.c * h * w, |i, output| {
        let input = part(input, i, d.input.plane());
        let Fill::Constant(value) = d.fill else { return repeat(d, w, input, output) };
        output.fill(value);
        for (row, output) in input.chunks_exact(d.input.w).zip(output.chunks_exact_mut(w).skip(top)) {
            output[left..left + d.input.w].copy_from_slice(row);
        }
    });
}

/// One plane, `w` columns wide, padded by pixels of its own.
fn repeat(d: &Pad, w: usize, input: &[f32], output: &mut [f32]) {
    let [top, left, ..] = d.pad;
    let right = left + d.input.w;
    for (oh, output) in output.chunks_exact_mut(w).enumerate() {
        let row = &input[source(d.fill, oh, top, d.input.h) * d.input.w..][..d.input.w];
        output[left..right].copy_from_slice(row);
        for ow in (0..left).chain(right..w) {
            output[ow] = row[source(d.fill, ow, left, d.input.w)];
        }
    }
}

/// Adds the backward pass of [`repeat`].
fn gather(d: &Pad, w: usize, d_output: &[f32], d_input: &mut [f32]) {
    let [top, left, ..] = d.pad;
    let right = left + d.input.w;
    for (oh, d_output) in d_output.chunks_exact(w).enumerate() {
        let row = &mut d_input[source(d.fill, oh, top, d.input.h) * d.input.w..][..d.input.w];
        row.iter_mut().zip(&d_output[left..right]).for_each(|(d, g)| *d += g);
        for ow in (0..left).chain(right..w) {
            row[source(d.fill, ow, left, d.input.w)] += d_output[ow];
        }
    }
}

/// The middle of each plane of the gradient by the output, and what its padding was made of.
///
/// # Panics
/// If the lengths do not fit `d` and `n`, or a map stands in an order that the layer does not know.
pub fn backward(d: &Pad, n: usize, d_output: &[f32], d_input: &mut [f32], write: Write) {
    let [h, w] = check(d, n, d_input.len(), d_output.len());
    let [top, left, ..] = d.pad;
    each(d_input, d.input.plane(), n * d.input.len(), |i, d_input| {
        let d_output = part(d_output, i, h * w);
        if !matches!(d.fill, Fill::Constant(_)) {
            if write == Write::Set {
                d_input.fill(0.0);
            }
            return gather(d, w, d_output, d_input);
        }
        for (row, d_output) in d_input.chunks_exact_mut(d.input.w).zip(d_output.chunks_exact(w).skip(top)) {
            let d_output = &d_output[left..left + d.input.w];
            match write {
                Write::Set => row.copy_from_slice(d_output),
                Write::Add => row.iter_mut().zip(d_output).for_each(|(d, g)| *d += g),
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desc::Map;
    use crate::kernel::pieces::PARALLEL;
    use crate::testing::{assert_close, assert_same_bits, same_on_any_threads, set_and_add, uniform};

    /// Runs [`forward`].
    fn run(d: &Pad, n: usize, x: &[f32]) -> Vec<f32> {
        let mut y = vec![f32::NAN; n * d.input.c * padded(d).into_iter().product::<usize>()];
        forward(d, n, x, &mut y);
        y
    }

    /// The input that each output is, or none in constant padding, by walking from the middle to the output.
    fn sources(d: &Pad, n: usize) -> Vec<Option<usize>> {
        let ([h, w], [top, left, ..]) = (padded(d), d.pad);
        let walk = |o: usize, before: usize, size: usize| {
            let (mut at, mut step) = (0, if o < before { -1 } else { 1 });
            for _ in 0..o.abs_diff(before) {
                let next = at + step;
                if (0..size as isize).contains(&next) {
                    at = next;
                } else if d.fill == Fill::Reflect {
                    step = -step;
                    at += step;
                } else if matches!(d.fill, Fill::Constant(_)) {
                    return None;
                }
            }
            Some(at as usize)
        };
        let source = |i: usize| {
            let (row, column) = (walk(i / w % h, top, d.input.h)?, walk(i % w, left, d.input.w)?);
            Some((i / (h * w) * d.input.h + row) * d.input.w + column)
        };
        (0..n * d.input.c * h * w).map(source).collect()
    }

    #[test]
    fn a_known_case() {
        let d = Pad { input: Map::new(1, 1, 2), pad: [1, 2, 0, 1], fill: Fill::Constant(0.5) };
        assert_eq!(run(&d, 1, &[3.0, 4.0]), [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 3.0, 4.0, 0.5]);
        let d = Pad { fill: Fill::Edge, ..d };
        assert_eq!(run(&d, 1, &[3.0, 4.0]), [3., 3., 3., 4., 4., 3., 3., 3., 4., 4.]);
        let d = Pad { input: Map::new(1, 1, 3), pad: [0, 2, 0, 1], fill: Fill::Reflect };
        assert_eq!(run(&d, 1, &[3.0, 4.0, 5.0]), [5.0, 4.0, 3.0, 4.0, 5.0, 4.0]);
    }

    fn check_elements(d: &Pad, n: usize) {
        let x = uniform(1, n * d.input.len());
        let sources = sources(d, n);
        let value = if let Fill::Constant(value) = d.fill { value } else { f32::NAN };
        let expected: Vec<f32> = sources.iter().map(|s| s.map_or(value, |s| x[s])).collect();
        assert_same_bits("forward", &run(d, n, &x), &expected);
        let d_output = uniform(2, expected.len());
        let mut expected = vec![0.0; x.len()];
        for (source, &g) in sources.iter().zip(&d_output) {
            if let Some(s) = source {
                expected[*s] += f64::from(g);
            }
        }
        let got = set_and_add("pad", x.len(), |d_input, write| backward(d, n, &d_output, d_input, write));
        assert_close("backward", &got, &expected, 1e-6);
    }

    #[test]
    fn forward_and_backward_follow_each_element() {
        for pad in [[0; 4], [1, 1, 1, 1], [0, 3, 2, 1], [2, 0, 0, 0]] {
            for (n, input) in [(1, Map::new(2, 3, 5)), (3, Map::new(3, 7, 1)), (3, Map::new(1, 1, 1))] {
                for fill in [Fill::Constant(0.0), Fill::Constant(-2.5), Fill::Edge, Fill::Reflect] {
                    let d = Pad { input, pad, fill };
                    if fill != Fill::Reflect || pad[0].max(pad[2]) < input.h && pad[1].max(pad[3]) < input.w {
                        check_elements(&d, n);
                    }
                }
            }
        }
    }

    #[test]
    fn a_large_batch_is_the_same_on_any_threads() {
        let d = Pad { input: Map::new(3, 61, 67), pad: [1, 2, 3, 4], fill: Fill::Constant(0.0) };
        let n = PARALLEL / d.input.len() + 2;
        let x = uniform(1, n * d.input.len());
        let y = same_on_any_threads("forward", || run(&d, n, &x));
        let mut back = vec![f32::NAN; x.len()];
        backward(&d, n, &y, &mut back, Write::Set);
        assert_same_bits("there and back", &back, &x);
        let d = Pad { fill: Fill::Reflect, ..d };
        let y = same_on_any_threads("forward", || run(&d, n, &x));
        same_on_any_threads("backward", || {
            let mut d_input = vec![f32::NAN; x.len()];
            backward(&d, n, &y, &mut d_input, Write::Set);
            d_input
        });
    }
}
