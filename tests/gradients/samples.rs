//! Samples do not mix without batch normalisation: a batch computes what its samples compute one by one, and its
//! gradients by the parameters are their sum. Without dropout either, inference computes what training does.

use cnn_runtime::desc::{LayerOp, Order};
use cnn_runtime::prelude::*;
use cnn_runtime::testing::largest;
use ndarray::{Array2, ArrayD, ArrayView2, ArrayView4, ArrayViewD, Axis, Slice, array};

use crate::networks::{BlockKinks, Blocks, Fan, Groups, Joins, Kinks, Names, Row, Tensors, Windows};
use crate::random::{random, random_batch, random_network};

/// Three and a group of sixteen, as in which samples of layers with few channels stand: alone they stand as in NCHW.
const SAMPLES: usize = 19;

/// Largest difference, as a part of a tensor's largest magnitude: the sums are the same in another order, or, where
/// only the batch is large enough for Winograd's convolution, of other products. The worst found,
/// over all networks and instruction sets, is 5.4e-6.
const BOUND: f64 = 1e-5;

#[test]
fn windows() {
    check::<Windows>();
}

#[test]
fn activations_of_one_value() {
    check::<Fan>();
}

#[test]
fn activations_in_rows() {
    check::<Row>();
    check::<Kinks>();
}

#[test]
fn blocks_of_channels() {
    check::<BlockKinks>();
}

#[test]
fn groups_of_samples() {
    check::<Groups>();
}

#[test]
fn joins_of_different_shapes() {
    check::<Joins>();
}

#[test]
fn trained_tensors() {
    check::<Tensors>();
}

#[test]
fn named_values() {
    check::<Names>();
}

/// Else batches and samples would stand in the same order, and nothing above would show it.
#[test]
fn networks_stand_in_the_orders_that_they_are_for() {
    #[track_caller]
    fn check<N: Network>(order: Order) {
        let orders = N::INFO.layers.iter().filter_map(|layer| match layer.op {
            LayerOp::Conv(d) => Some(d.output.order),
            LayerOp::MaxPool(d) | LayerOp::AvgPool(d) => Some(d.input.order),
            _ => None,
        });
        let (count, all) = (orders.clone().filter(|&found| found == order).count(), orders.count());
        assert!(2 * count > all, "{count} of {all} maps of {} stand in {order:?}", N::INFO.name);
    }
    check::<Blocks>(Order::Nchw16c);
    check::<BlockKinks>(Order::Nchw16c);
    check::<Groups>(Order::Chwn16);
    check::<Kinks>(Order::Chwn16);
}

/// Compares a batch with its samples, in a workspace for more than these.
fn check<N: Network>() {
    let mut net: N = random_network();
    let batch = random_batch::<N>(SAMPLES);
    let d_output = random(14, &[SAMPLES, N::INFO.output.iter().product()]).into_dimensionality().unwrap();
    let mut workspace = net.train_workspace(SAMPLES + 2);
    let whole = Pass::run(&mut net, &mut workspace, batch.view(), d_output.view());

    let mut infer = net.workspace(SAMPLES + 2);
    let inferred = net.forward_batch(&mut infer, batch.view()).unwrap();
    assert_close("inference", inferred.into_dyn(), &widen(whole.output.view().into_dyn()));

    let mut sums: Vec<_> = whole.gradients.iter().map(|(_, gradient)| ArrayD::zeros(gradient.raw_dim())).collect();
    for sample in 0..SAMPLES {
        let only = Slice::from(sample..sample + 1);
        let (image, d_row) = (batch.slice_axis(Axis(0), only), d_output.slice_axis(Axis(0), only));
        let single = Pass::run(&mut net, &mut workspace, image, d_row);
        let row = whole.output.slice_axis(Axis(0), only);
        assert_close("output", row.into_dyn(), &widen(single.output.view().into_dyn()));
        assert_close("d_input", whole.d_input.slice_axis(Axis(0), only), &widen(single.d_input.view()));
        for (sum, (_, gradient)) in sums.iter_mut().zip(&single.gradients) {
            *sum += &widen(gradient.view());
        }
    }
    for ((name, gradient), sum) in whole.gradients.iter().zip(&sums) {
        assert_close(name, gradient.view(), sum);
    }

    workspace.set_input_gradient(false);
    forward_and_backward(&mut net, &mut workspace, batch.view(), d_output.view());
    for (name, gradient) in &whole.gradients {
        assert_eq!(&workspace.gradient(name).unwrap(), gradient, "{name} depends on whether the input's is computed");
    }
}

/// What a forward and a backward pass computed.
struct Pass {
    output: Array2<f32>,
    d_input: ArrayD<f32>,
    gradients: Vec<(&'static str, ArrayD<f32>)>,
}

impl Pass {
    fn run<N: Network>(
        net: &mut N,
        workspace: &mut TrainWorkspace<N>,
        batch: ArrayView4<'_, f32>,
        d_output: ArrayView2<'_, f32>,
    ) -> Self {
        workspace.set_input_gradient(true);
        let output = forward_and_backward(net, workspace, batch, d_output);
        let gradients = net.tensors().map(|(name, _)| (name, workspace.gradient(name).unwrap())).collect();
        Pass { output, d_input: workspace.input_gradient().unwrap().into_owned().into_dyn(), gradients }
    }
}

fn forward_and_backward<N: Network>(
    net: &mut N,
    workspace: &mut TrainWorkspace<N>,
    batch: ArrayView4<'_, f32>,
    d_output: ArrayView2<'_, f32>,
) -> Array2<f32> {
    let output = net.forward_train(workspace, batch, 0).unwrap().into_owned();
    workspace.output_gradient_mut().unwrap().assign(&d_output);
    net.backward(workspace).unwrap();
    output
}

fn widen(values: ArrayViewD<'_, f32>) -> ArrayD<f64> {
    values.mapv(f64::from)
}

#[track_caller]
fn assert_close(what: &str, found: ArrayViewD<'_, f32>, expected: &ArrayD<f64>) {
    let (distance, scale) = (largest(widen(found) - expected), largest(expected.iter().copied()));
    assert!(scale > 0.0 && distance <= BOUND * scale, "{what}: {distance:e} apart, of {scale:e}");
}

#[test]
#[should_panic(expected = "x: NaN apart, of 1e0")]
fn what_is_not_a_number_is_close_to_nothing() {
    assert_close("x", array![f32::NAN, 1.0].view().into_dyn(), &array![1.0, 1.0].into_dyn());
}
