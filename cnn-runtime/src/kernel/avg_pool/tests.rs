use super::{backward, backward_on, forward, forward_on, reference};
use crate::desc::{Pool, Write};
use crate::dispatch::Isa;
use crate::kernel::pieces::PARALLEL;
use crate::testing::{
    assert_close, assert_same_bits, batched_pools, blocked_pools, finite_differences, nchw, pool, pools,
    same_on_any_threads, set_and_add, stored, uniform, widen,
};

/// Layers in which all padding counts, none does, and that on the top and left does.
fn layers() -> Vec<Pool> {
    let ways = |d: Pool| {
        let [top, left, ..] = d.window.pad;
        [d.window.pad, [0; 4], [top, left, 0, 0]].map(|counted| Pool { counted, ..d })
    };
    pools().into_iter().flat_map(ways).collect()
}

/// Runs [`forward`].
fn run(d: &Pool, n: usize, x: &[f32]) -> Vec<f32> {
    let mut y = vec![f32::NAN; n * d.output.len()];
    forward(d, n, x, &mut y);
    y
}

#[test]
fn forward_agrees_with_the_definition() {
    for d in layers() {
        for n in [1, 3] {
            let x = uniform(1, n * d.input.len());
            assert_close(&format!("{d:?}"), &run(&d, n, &x), &reference::forward(&d, n, &widen(&x)), 1e-6);
        }
    }
}

#[test]
fn backward_agrees_with_finite_differences() {
    for d in layers() {
        for n in [1, 3] {
            let (x, d_output) = (uniform(3, n * d.input.len()), uniform(4, n * d.output.len()));
            let got =
                set_and_add(&format!("{d:?}"), x.len(), |d_input, write| backward(&d, n, &d_output, d_input, write));
            let expected = finite_differences(&widen(&x), &widen(&d_output), 1e-2, |x| reference::forward(&d, n, x));
            assert_close(&format!("gradient of {d:?}"), &got, &expected, 1e-6);
        }
    }
}

#[test]
fn every_order_gives_the_same() {
    for isa in Isa::available() {
        let blocked = layers().into_iter().flat_map(|d| blocked_pools(&d).map(|d| [(d, 1), (d, 3)]));
        let batched = layers().into_iter().flat_map(|d| batched_pools(&d).map(|d| [(d, 3), (d, 35)]));
        for (d, n) in blocked.chain(batched).flatten() {
            let (plain, what) = (d.plain(), format!("{n} x {d:?} on {isa:?}"));
            let (x, d_output) = (uniform(1, n * d.input.len()), uniform(2, n * d.output.len()));
            let mut y = vec![f32::NAN; d_output.len()];
            forward_on(isa, &d, n, &stored(&d.input, n, &x), &mut y);
            assert_close(&what, &nchw(&d.output, n, &y), &widen(&run(&plain, n, &x)), 1e-6);
            let d_output_stored = stored(&d.output, n, &d_output);
            let got = set_and_add(&what, x.len(), |d_input, write| {
                backward_on(isa, &d, n, &d_output_stored, d_input, write);
            });
            let mut expected = vec![f32::NAN; x.len()];
            backward(&plain, n, &d_output, &mut expected, Write::Set);
            assert_close(&format!("gradient of {what}"), &nchw(&d.input, n, &got), &widen(&expected), 1e-6);
        }
    }
}

#[test]
fn padding_counts_as_zeros_of_full_weight() {
    let d = pool([1, 2, 2], [2, 2], [2, 2], [1, 1], [1; 4]);
    assert_eq!(run(&d, 1, &[4.0, 8.0, 12.0, 16.0]), [1.0, 2.0, 3.0, 4.0]);
    let d = pool([1, 2, 2], [2, 2], [2, 2], [1, 1], [0; 4]);
    assert_eq!(run(&d, 1, &[4.0, 8.0, 12.0, 16.0]), [10.0]);
}

#[test]
fn padding_that_does_not_count_is_left_out_of_the_mean() {
    let d = Pool { counted: [0; 4], ..pool([1, 2, 2], [2, 2], [2, 2], [1, 1], [1; 4]) };
    assert_eq!(run(&d, 1, &[4.0, 8.0, 12.0, 16.0]), [4.0, 8.0, 12.0, 16.0]);
    let d = Pool { counted: [0, 1, 0, 0], ..d };
    assert_eq!(run(&d, 1, &[4.0, 8.0, 12.0, 16.0]), [2.0, 8.0, 6.0, 16.0]);
}

#[test]
fn a_large_batch_is_its_samples_on_any_threads() {
    for d in [
        pool([5, 31, 45], [2, 2], [2, 2], [1, 1], [0; 4]),
        pool([5, 31, 45], [3, 3], [1, 1], [1, 1], [1; 4]),
        Pool { counted: [0; 4], ..pool([5, 31, 45], [3, 3], [1, 1], [1, 1], [1; 4]) },
        pool([5, 31, 45], [31, 45], [31, 45], [1, 1], [0; 4]),
        blocked_pools(&pool([1, 31, 45], [3, 3], [2, 2], [1, 1], [1; 4]))[0],
        blocked_pools(&pool([1, 31, 45], [31, 45], [31, 45], [1, 1], [0; 4]))[1],
    ] {
        let n = PARALLEL / d.input.len() + 2;
        let x = uniform(5, n * d.input.len());
        let y = same_on_any_threads("forward", || run(&d, n, &x));
        let d_input = same_on_any_threads("backward", || {
            let mut d_input = vec![0.0; x.len()];
            backward(&d, n, &y, &mut d_input, Write::Set);
            d_input
        });
        let ((ins, outs), last) = ((d.input.len(), d.output.len()), n - 1);
        let y_last = run(&d, 1, &x[last * ins..]);
        assert_same_bits("last sample", &y[last * outs..], &y_last);
        let mut d_last = vec![0.0; ins];
        backward(&d, 1, &y_last, &mut d_last, Write::Set);
        assert_same_bits("gradient of the last sample", &d_input[last * ins..], &d_last);
    }
}
