//! Gradients by the input and by every parameter tensor, against finite differences along random directions.
//!
//! A network computes in `f32`, which leaves finite differences little room: with a short step the rounding of the
//! outputs drowns the difference, with a long one curvature does, and a rectifier or a maximum that switches within the
//! step bends the line. So each tensor moves as a whole, along a unit vector of random signs, and the objective is
//! summed in `f64`. Along such a vector the slope of a tensor of `len` values has the gradient's length over `sqrt(len)`
//! as its root mean square. In that unit the error of a slope estimates the gradient's own relative error: a
//! gradient that lacks a tenth of its length shows an error near 0.1. The median over several directions passes
//! over the few that happen to cross a kink.

use cnn_runtime::prelude::*;
use cnn_runtime::testing::uniform;
use ndarray::{Array4, ArrayD, ArrayView2};

use crate::networks::{
    BlockKinks, Blocks, Fan, Groups, Joins, Kinks, Names, Norms, Readers, Residual, Row, Spatial, Tensors, Windows,
};
use crate::random::{random, random_batch, random_network};

/// Three: batch normalisation maps two samples to plus and minus one, whatever they are.
const SAMPLES: usize = 3;
const DIRECTIONS: u64 = 9;

/// How to differentiate, and the largest error to expect.
struct Stencil {
    step: f64,
    /// Offsets in steps, each with its weight over the step.
    points: &'static [(f32, f64)],
    bound: f64,
}

/// Fourth order, for networks without kinks: curvature and rounding are balanced. The worst error found, over all
/// networks and instruction sets, is 8.6e-4.
const SMOOTH: Stencil = Stencil {
    step: 1.0 / 32.0,
    points: &[(-2.0, 1.0 / 12.0), (-1.0, -2.0 / 3.0), (1.0, 2.0 / 3.0), (2.0, -1.0 / 12.0)],
    bound: 1.5e-3,
};

/// Second order and a short step, so that most directions cross no kink. What is left is rounding; the worst found is
/// 2.4e-3.
const KINKED: Stencil = Stencil { step: 1.0 / 256.0, points: &[(-1.0, -0.5), (1.0, 0.5)], bound: 5e-3 };

#[test]
fn windows() {
    check::<Windows>(&KINKED, weighted);
}

#[test]
fn layers_that_move_pixels() {
    check::<Spatial>(&SMOOTH, weighted);
}

#[test]
fn activations_of_one_value() {
    check::<Fan>(&KINKED, weighted);
}

#[test]
fn layers_that_read_one_value() {
    check::<Readers>(&KINKED, weighted);
}

#[test]
fn activations_in_rows() {
    check::<Row>(&SMOOTH, weighted);
}

#[test]
fn activations_with_kinks_in_rows() {
    check::<Kinks>(&KINKED, weighted);
}

#[test]
fn joins_of_different_shapes() {
    check::<Joins>(&SMOOTH, weighted);
}

#[test]
fn trained_tensors() {
    check::<Tensors>(&KINKED, weighted);
}

#[test]
fn named_values() {
    check::<Names>(&SMOOTH, weighted);
}

#[test]
fn residual_units_and_a_network_as_a_step() {
    check::<Residual>(&SMOOTH, weighted);
}

#[test]
fn normalisations_and_dropout() {
    check::<Norms>(&SMOOTH, weighted);
}

#[test]
fn blocks_of_channels() {
    check::<Blocks>(&SMOOTH, weighted);
    check::<BlockKinks>(&KINKED, weighted);
}

#[test]
fn groups_of_samples() {
    check::<Groups>(&SMOOTH, weighted);
}

#[test]
fn cross_entropy() {
    check::<Residual>(&SMOOTH, |workspace| workspace.loss(&SoftmaxCrossEntropy, &[3u8, 0, 4]).unwrap().into());
}

#[test]
fn mean_squared_error() {
    let targets = uniform(15, SAMPLES * Names::OUTPUT[0]);
    check::<Names>(&SMOOTH, |workspace| workspace.loss(&Mse, &targets).unwrap().into());
}

/// The sum of all outputs with random weights.
fn weighted<N: Network>(workspace: &mut TrainWorkspace<N>) -> f64 {
    let output = workspace.output().unwrap();
    let weights = uniform(14, output.len());
    let weights = ArrayView2::from_shape(output.raw_dim(), &weights).unwrap();
    let value = output.iter().zip(weights).map(|(&y, &weight)| f64::from(y) * f64::from(weight)).sum();
    workspace.output_gradient_mut().unwrap().assign(&weights);
    value
}

/// Checks all gradients of a network; `objective` computes the scalar and sets its gradient by the output.
fn check<N: Network>(stencil: &Stencil, objective: impl Fn(&mut TrainWorkspace<N>) -> f64) {
    let mut probe = Probe::<N, _>::new(objective);
    let (d_input, gradients) = probe.gradients();

    let origin = probe.batch.clone();
    let error = stencil.error(&d_input, |offset| {
        probe.batch.assign(&(&origin + offset));
        probe.value()
    });
    assert!(error <= stencil.bound, "input: the gradient is off by {error:e}");
    probe.batch.assign(&origin);

    for (name, gradient) in gradients {
        let origin = probe.net.tensor(name).unwrap();
        let error = stencil.error(&gradient, |offset| {
            probe.net.set_tensor(name, (&origin + offset).view()).unwrap();
            probe.value()
        });
        assert!(error <= stencil.bound, "{name}: the gradient is off by {error:e}");
        probe.net.set_tensor(name, origin.view()).unwrap();
    }
}

/// A network in training, its batch, and the scalar that is differentiated.
struct Probe<N: Network, F> {
    net: N,
    workspace: TrainWorkspace<N>,
    batch: Array4<f32>,
    objective: F,
}

impl<N: Network, F: Fn(&mut TrainWorkspace<N>) -> f64> Probe<N, F> {
    fn new(objective: F) -> Self {
        let net: N = random_network();
        let workspace = net.train_workspace(SAMPLES);
        Probe { net, workspace, batch: random_batch::<N>(SAMPLES), objective }
    }

    /// The scalar after a forward pass. The seed is always the same: dropout drops the same.
    fn value(&mut self) -> f64 {
        self.net.forward_train(&mut self.workspace, self.batch.view(), 13).unwrap();
        (self.objective)(&mut self.workspace)
    }

    /// Gradients by the input and by each parameter.
    fn gradients(&mut self) -> (ArrayD<f32>, Vec<(&'static str, ArrayD<f32>)>) {
        self.workspace.set_input_gradient(true);
        self.value();
        self.net.backward(&mut self.workspace).unwrap();
        let parameters = self.net.tensors().filter(|(_, tensor)| !tensor.role.is_state());
        let gradients = parameters.map(|(name, _)| (name, self.workspace.gradient(name).unwrap())).collect();
        (self.workspace.input_gradient().unwrap().into_owned().into_dyn(), gradients)
    }
}

impl Stencil {
    /// The error of a gradient, relative to its length; `value` is the scalar at an offset from where it was taken.
    fn error(&self, gradient: &ArrayD<f32>, mut value: impl FnMut(&ArrayD<f32>) -> f64) -> f64 {
        let length = gradient.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
        let unit = (gradient.len() as f64).sqrt().recip();
        let step = (self.step * unit) as f32;
        let mut errors: Vec<f64> = (0..DIRECTIONS)
            .map(|seed| {
                let signs = random(seed, gradient.shape()).mapv(f32::signum);
                let slope: f64 = gradient.iter().zip(&signs).map(|(&g, &sign)| f64::from(g * sign)).sum();
                let points = self.points.iter();
                let difference: f64 = points.map(|&(at, weight)| weight * value(&(&signs * (at * step)))).sum();
                (difference / f64::from(step) - slope).abs() / length
            })
            .collect();
        // A gradient that is zero or not finite has no finite error in any direction, and so meets no bound.
        errors.sort_by(f64::total_cmp);
        errors[errors.len() / 2]
    }
}
