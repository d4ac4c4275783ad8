//! Ten steps of training: the first step's outputs and gradients, then every loss, and where the parameters and running
//! statistics end.

use cnn_runtime::prelude::*;
use ndarray::{ArrayD, ArrayViewD, Axis, Ix2, Ix4};

use crate::record::{Record, assert_close};

/// Bounds on the distance from PyTorch's run in f32, as parts of a tensor's largest magnitude; each is two to three times
/// the worst found over the three networks and all instruction sets, which stands behind it. That run itself lies up to
/// 3.5e-7 (outputs), 2.4e-6 (gradients), 1.5e-7 (losses) and 5.4e-7 (values at the end) from one in f64, says `make.py`:
/// the two differ by the order of their sums and by nothing else.
const OUTPUTS: f32 = 1e-6; // 4.8e-7
const GRADIENTS: f32 = 6e-6; // 3.0e-6
const LOSSES: f32 = 4e-7; // 1.5e-7, about one unit in the last place
const AFTER: f32 = 1.5e-6; // 6.2e-7

cnn! {
    LeNet5 <1x28x28>
        -> conv(6, 5x5, s1, p2) -> relu -> pool(2, s2)
        -> conv(16, 5x5, s1) -> relu -> pool(2, s2)
        -> fc(120) -> relu -> fc(84) -> relu -> fc(10);

    block unit(c, s = 1) =
        add(conv(c, 3x3, s, p1, nobias) -> bn -> relu -> conv(c, 3x3, p1, nobias) -> bn, shortcut(c, s)) -> relu;

    Residual <3x13x11>
        -> conv(8, 3x3, p1, nobias) -> bn -> relu -> lrn(size = 3, alpha = 0.5, beta = 0.75, k = 1)
        -> unit(8) -> unit(16, s2)
        -> concat(conv(5, 1x1), conv(3, 3x3, p1)) -> relu
        -> avgpool(global) -> fc(7);

    Smooth <2x13x11>
        -> conv(6, 5x5, p2) -> tanh -> avgpool(2)
        -> conv(9, 3x3, s2, g3) -> silu
        -> fc(11) -> sigmoid -> fc(3);
}

#[test]
fn lenet5_on_digits() {
    let record = Record::new(include_bytes!("lenet5.safetensors"));
    check::<LeNet5>(&record, |pixels| pixels / 255.0, cross_entropy);
}

#[test]
fn residual_network() {
    let record = Record::new(include_bytes!("residual.safetensors"));
    check::<Residual>(&record, |images| images, cross_entropy);
}

#[test]
fn smooth_network_by_mean_squared_error() {
    let record = Record::new(include_bytes!("smooth.safetensors"));
    check::<Smooth>(&record, |images| images, mean_squared_error);
}

fn cross_entropy<N: Network>(workspace: &mut TrainWorkspace<N>, labels: ArrayViewD<'_, f32>) -> f32 {
    let labels: Vec<u8> = labels.iter().map(|&label| label as u8).collect();
    workspace.loss(&SoftmaxCrossEntropy, &labels).unwrap()
}

fn mean_squared_error<N: Network>(workspace: &mut TrainWorkspace<N>, targets: ArrayViewD<'_, f32>) -> f32 {
    workspace.loss(&Mse, &targets.into_dimensionality::<Ix2>().unwrap()).unwrap()
}

/// Trains a network as the record was trained, from its initial values on its batches, and compares.
fn check<N: Network>(
    record: &Record,
    prepare: impl Fn(ArrayD<f32>) -> ArrayD<f32>,
    loss: impl Fn(&mut TrainWorkspace<N>, ArrayViewD<'_, f32>) -> f32,
) {
    let inputs = prepare(record.get("inputs").clone());
    let targets = record.get("targets");
    let mut net: N = initial(record);
    let mut workspace = net.train_workspace(inputs.len_of(Axis(1)));
    let mut sgd = Sgd::new(0.05).momentum(0.9).weight_decay(5e-4);
    let mut losses = Vec::new();
    for (step, (batch, targets)) in inputs.outer_iter().zip(targets.outer_iter()).enumerate() {
        let batch = batch.into_dimensionality::<Ix4>().unwrap();
        let outputs = net.forward_train(&mut workspace, batch, 0).unwrap();
        if step == 0 {
            assert_close("outputs", outputs.into_dyn(), record.get("outputs"), OUTPUTS);
        }
        losses.push(loss(&mut workspace, targets));
        net.backward(&mut workspace).unwrap();
        if step == 0 {
            for name in record.names("d_") {
                let gradient = workspace.gradient(name).unwrap();
                assert_close(&format!("d_{name}"), gradient.view(), record.get(&format!("d_{name}")), GRADIENTS);
            }
        }
        sgd.step(&mut net, &workspace).unwrap();
    }
    assert_eq!(losses.len(), 10);
    let losses = ArrayD::from_shape_vec(vec![10], losses).unwrap();
    assert_close("losses", losses.view(), record.get("losses"), LOSSES);
    for name in record.names("after/") {
        let found = net.tensor(name).unwrap();
        assert_close(&format!("after/{name}"), found.view(), record.get(&format!("after/{name}")), AFTER);
    }
}

/// The network before the first step. It has to have the record's tensors and no others.
fn initial<N: Network>(record: &Record) -> N {
    let mut net = N::new(1);
    let mut names: Vec<_> = net.tensors().map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(names, record.names("init/").collect::<Vec<_>>());
    let trained = net.tensors().filter(|(_, tensor)| !tensor.role.is_state()).count();
    assert_eq!(trained, record.names("d_").count());
    for name in names {
        net.set_tensor(name, record.get(&format!("init/{name}")).view()).unwrap();
    }
    net
}
