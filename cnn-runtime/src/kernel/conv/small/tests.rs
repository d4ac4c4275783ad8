//! The few-channel way against the reference, called itself: the shapes that other ways are chosen for too.

use super::{backward_data, backward_weights, forward};
use crate::desc::{Act, Conv, Map, Window, Write};
use crate::dispatch::Isa;
use crate::kernel::conv::checks::packed;
use crate::kernel::conv::{pass, reference};
use crate::kernel::post::Post;
use crate::testing::{assert_close, tolerance, uniform, widen};

pub(super) fn conv(
    [c, h, w]: [usize; 3],
    out: usize,
    kernel: [usize; 2],
    dilation: [usize; 2],
    pad: [usize; 4],
    groups: usize,
) -> Conv {
    let size = |axis: usize, size: usize| size + pad[axis] + pad[axis + 2] - (kernel[axis] - 1) * dilation[axis];
    let window = Window { kernel, stride: [1, 1], dilation, pad };
    Conv { input: Map::new(c, h, w), output: Map::new(out, size(0, h), size(1, w)), window, groups, direct: false }
}

/// Each count of rows of a tile, several blocks, maps narrower and wider than vectors, chunks of lines, dilation,
/// uneven padding beyond the kernel's reach, groups.
fn shapes() -> Vec<Conv> {
    let rows = (1..=15).map(|out| conv([2, 5, 7], out, [3, 2], [1, 1], [1, 0, 1, 1], 1));
    let others = [
        conv([1, 28, 28], 6, [5, 5], [1, 1], [2; 4], 1),
        conv([6, 14, 14], 16, [5, 5], [1, 1], [0; 4], 1),
        conv([3, 32, 32], 16, [3, 3], [1, 1], [1; 4], 1),
        conv([3, 9, 23], 32, [3, 5], [2, 1], [1, 0, 3, 2], 1),
        conv([6, 5, 3], 48, [2, 2], [1, 2], [0, 1, 1, 0], 3),
        conv([16, 33, 31], 17, [3, 3], [1, 1], [1; 4], 1),
        conv([11, 67, 41], 5, [3, 3], [1, 1], [1; 4], 1),
        conv([3, 2, 2], 31, [5, 5], [1, 1], [3, 2, 1, 4], 1),
        conv([4, 13, 17], 6, [3, 3], [2, 3], [2, 3, 1, 0], 2),
        conv([6, 1, 1], 9, [1, 1], [1, 1], [0; 4], 3),
        conv([1, 3, 1], 2, [3, 1], [1, 1], [5, 7, 6, 8], 1),
    ];
    rows.chain(others).collect()
}

#[test]
fn forward_agrees_with_the_reference() {
    for isa in Isa::available() {
        for d in shapes() {
            for n in [1, 3] {
                let (input, weight) = (uniform(1, n * d.input.len()), uniform(2, d.weight_len()));
                let (bias, residual) = (uniform(3, d.output.c), uniform(4, n * d.output.len()));
                let mut expected = vec![0.0; residual.len()];
                reference::forward(&d, n, &widen(&input), &widen(&weight), Some(&widen(&bias)), &mut expected);
                let tolerance = tolerance(d.taps());
                let what = format!("{n} x {d:?} on {isa:?}");
                let mut got = vec![f32::NAN; residual.len()];
                let (weight, post, write) = (&packed(&d, &weight), Post::new().bias(&bias), Write::Set);
                let pass = pass::Forward { isa, d: &d, n, input: &input, weight, post, write };
                forward(pass, None, &mut got);
                assert_close(&what, &got, &expected, tolerance);
                for (y, &r) in expected.iter_mut().zip(&residual) {
                    *y = (*y + f64::from(r)).max(0.0);
                }
                let post = post.add(&residual).act(Act::Relu);
                forward(pass::Forward { post, ..pass }, None, &mut got);
                assert_close(&format!("with a residual, {what}"), &got, &expected, tolerance);
            }
        }
    }
}

#[test]
fn backward_data_agrees_with_the_reference() {
    for isa in Isa::available() {
        for d in shapes() {
            for (n, write) in [(1, Write::Set), (3, Write::Add)] {
                let (d_output, weight) = (uniform(1, n * d.output.len()), uniform(2, d.weight_len()));
                let mut got = uniform(3, n * d.input.len());
                let mut expected = widen(&got);
                if write == Write::Set {
                    got.fill(f32::NAN);
                }
                let mut scratch = vec![f32::NAN; d.weight_len()];
                backward_data(
                    pass::BackwardData { isa, d: &d, n, weight: &packed(&d, &weight), d_output: &d_output, write },
                    &mut got,
                    &mut scratch,
                );
                reference::backward_data(&d, n, &widen(&weight), &widen(&d_output), &mut expected, write);
                let tolerance = tolerance(d.weight_len() / d.input.c);
                assert_close(&format!("{write:?} of {n} x {d:?} on {isa:?}"), &got, &expected, tolerance);
            }
        }
    }
}

#[test]
fn backward_weights_agree_with_the_reference() {
    for isa in Isa::available() {
        for d in shapes() {
            // Several tasks, and samples staged one after the other.
            for n in [1, 19] {
                let (input, d_output) = (uniform(1, n * d.input.len()), uniform(2, n * d.output.len()));
                let (mut got, mut expected) = (vec![f32::NAN; d.weight_len()], vec![0.0; d.weight_len()]);
                let pass = pass::BackwardWeights { isa, d: &d, n, input: &input, d_output: &d_output };
                backward_weights::run(pass, &mut got);
                reference::backward_weights(&d, n, &widen(&input), &widen(&d_output), &mut expected, None);
                let tolerance = tolerance(n * d.output.plane());
                let expected: Vec<f32> = expected.iter().map(|&g| g as f32).collect();
                assert_close(&format!("{n} x {d:?} on {isa:?}"), &got, &widen(&packed(&d, &expected)), tolerance);
            }
        }
    }
}
