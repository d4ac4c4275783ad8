//! Random networks and batches, the same in every run.

use cnn_runtime::info::Role;
use cnn_runtime::prelude::*;
use cnn_runtime::testing::uniform;
use ndarray::{Array4, ArrayD};

/// A network none of whose parameters is zero or one.
pub fn random_network<N: Network>() -> N {
    let mut net = N::new(11);
    for (seed, (name, tensor)) in (100..).zip(N::INFO.tensors.iter().map(|tensor| (tensor.name, tensor))) {
        let noise = random(seed, tensor.shape) * 0.5;
        match tensor.role {
            Role::Bias | Role::Shift => net.set_tensor(name, noise.view()).unwrap(),
            Role::Slope => net.set_tensor(name, (noise + 0.75).view()).unwrap(),
            Role::Scale => net.set_tensor(name, (noise + 1.0).view()).unwrap(),
            Role::Weight | Role::RunningMean | Role::RunningVar => {}
            role => unreachable!("no values for {role:?}"),
        }
    }
    net
}

/// Images for a network, uniform between -2 and 2.
pub fn random_batch<N: Network>(samples: usize) -> Array4<f32> {
    let [c, h, w] = N::INFO.input;
    let values = uniform(12, samples * c * h * w);
    Array4::from_shape_vec((samples, c, h, w), values).expect("as many values as the shape says") * 2.0
}

/// An array of values uniform between -1 and 1.
pub fn random(seed: u64, shape: &[usize]) -> ArrayD<f32> {
    ArrayD::from_shape_vec(shape, uniform(seed, shape.iter().product())).expect("as many values as the shape says")
}
