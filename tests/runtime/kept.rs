//! Transformed weights that inference keeps: never those of other parameters than the network has now.

use cnn_runtime::cnn;
use cnn_runtime::prelude::*;
use cnn_runtime::testing::{assert_same_bits, uniform};
use ndarray::Array4;

cnn! {
    /// Its second and third convolution have their weights kept.
    Small <3x12x12> -> conv(16, 3x3, p1) -> relu -> conv(32, 3x3, p1) -> relu -> conv(32, 3x3, p1) -> avgpool(global);
    /// The same network, every product computed.
    Direct <3x12x12> direct -> conv(16, 3x3, p1) -> relu -> conv(32, 3x3, p1) -> relu -> conv(32, 3x3, p1)
        -> avgpool(global);
}

fn images(n: usize) -> Array4<f32> {
    Array4::from_shape_vec((n, 3, 12, 12), uniform(1, n * Small::INFO.input.iter().product::<usize>())).unwrap()
}

fn scores<N: Network>(network: &N, n: usize) -> Vec<f32> {
    let mut workspace = network.workspace(n);
    network.forward_batch(&mut workspace, images(n).view()).unwrap().iter().copied().collect()
}

#[test]
fn they_follow_every_change_of_the_parameters() {
    let (mut network, other) = (Small::new(1), Small::new(2));
    let fresh = scores(&other, 1);
    assert_ne!(scores(&network, 1), fresh);
    for (name, _) in other.tensors() {
        network.set_tensor(name, other.tensor(name).unwrap().view()).unwrap();
    }
    assert_same_bits("tensor by tensor", &scores(&network, 1), &fresh);
    network.params_mut().values_mut().copy_from_slice(Small::new(3).params().values());
    assert_same_bits("all at once", &scores(&network, 1), &scores(&Small::new(3), 1));
}

#[test]
fn a_training_step_between_two_passes_is_seen() {
    let mut network = Small::new(1);
    scores(&network, 1);
    let mut workspace = network.train_workspace(2);
    network.forward_train(&mut workspace, images(2).view(), 0).unwrap();
    workspace.output_gradient_mut().unwrap().fill(1.0);
    network.backward(&mut workspace).unwrap();
    Sgd::new(0.1).step(&mut network, &workspace).unwrap();
    let mut copy = Small::new(1);
    copy.params_mut().values_mut().copy_from_slice(network.params().values());
    assert_same_bits("after a step", &scores(&network, 1), &scores(&copy, 1));
}

#[test]
fn they_count_as_memory_of_the_parameters_and_change_little() {
    let network = Small::new(1);
    let bytes = network.params().bytes();
    let mut direct = Direct::new(1);
    direct.params_mut().values_mut().copy_from_slice(network.params().values());
    for n in [1, 3, 40] {
        let (got, expected) = (scores(&network, n), scores(&direct, n));
        let most = expected.iter().fold(0.0f32, |most, e| most.max(e.abs()));
        assert!(got.iter().zip(&expected).all(|(g, e)| (g - e).abs() < 1e-5 * most), "{n}: {got:?} {expected:?}");
    }
    assert!(network.params().bytes() > bytes + 36 * 4 * 32 * 32);
    assert_eq!(direct.params().bytes(), bytes);
}
