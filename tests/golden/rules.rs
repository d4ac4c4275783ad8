//! The rules of training beside PyTorch's: optimisers, schedules and softened losses.

use std::time::Duration;

use cnn_runtime::info::{Role, TensorInfo};
use cnn_runtime::metrics::Summary;
use cnn_runtime::prelude::*;
use ndarray::{Array2, ArrayD, Ix2};

use crate::record::{Record, assert_close};

fn record() -> Record {
    Record::new(include_bytes!("rules.safetensors"))
}

/// Holds the parameters after each of 20 steps against PyTorch's. Both compute in f32: they differ by rounding alone.
fn follow(case: &str, mut optimizer: impl Optimizer) {
    let record = record();
    let mut values = record.get("initial").iter().copied().collect::<Vec<_>>();
    let tensors =
        [TensorInfo::alone("w", &[64]), TensorInfo { role: Role::Bias, offset: 64, ..TensorInfo::alone("b", &[33]) }];
    let steps = record.get("gradients").outer_iter().zip(record.get(&format!("path/{case}")).outer_iter());
    assert_eq!(steps.len(), 20);
    for (step, (gradients, expected)) in steps.enumerate() {
        let gradients = gradients.as_slice().expect("a row in one piece");
        optimizer.update(&mut values, gradients, &tensors).unwrap();
        let found = ArrayD::from_shape_vec(vec![97], values.clone()).unwrap();
        assert_close(&format!("{case}, step {step}"), found.view(), &expected.to_owned(), 1e-6);
    }
}

#[test]
fn descent() {
    follow("sgd", Sgd::new(0.1));
    follow("momentum", Sgd::new(0.05).momentum(0.9).weight_decay(5e-3));
    follow("nesterov", Sgd::new(0.05).momentum(0.9).weight_decay(5e-3).nesterov());
}

#[test]
fn adam() {
    follow("adam", Adam::new(0.01).weight_decay(0.02));
    follow("adam_betas", Adam::new(0.01).betas(0.8, 0.95).eps(1e-4));
    follow("adamw", AdamW::new(0.01).weight_decay(0.1));
    follow("adamw_weights_only", AdamW::new(0.01).weight_decay(0.1).decay_weights_only());
}

#[test]
fn rms_prop() {
    follow("rmsprop", RmsProp::new(0.01).alpha(0.9).weight_decay(0.02));
    follow("rmsprop_momentum", RmsProp::new(0.01).momentum(0.8));
}

/// The rates of 40 steps in epochs of `per_epoch`.
fn rates(mut schedule: impl Schedule, per_epoch: usize) -> ArrayD<f32> {
    let at = |step: usize| Position {
        epoch: step / per_epoch,
        epochs: 40 / per_epoch,
        step: step as u64,
        steps: 40,
        per_epoch: per_epoch as u64,
    };
    ArrayD::from_shape_fn(vec![40], |index| schedule.lr(at(index[0])))
}

#[test]
fn schedules() {
    let record = record();
    let cosine = Cosine::new(0.4).floor(0.01);
    assert_close("cosine", rates(cosine, 8).view(), record.get("lr/cosine"), 1e-6);
    assert_close("one cycle", rates(OneCycle::new(0.4), 8).view(), record.get("lr/one_cycle"), 1e-6);
    let warm_up = warm_up(4, Cosine::new(0.4));
    assert_close("warm-up", rates(warm_up, 8).view(), record.get("lr/warm_up"), 1e-6);
    // PyTorch's is asked once an epoch.
    let steps = StepDecay::new(0.4, 3).factor(0.5);
    assert_close("steps", rates(steps, 1).view(), record.get("lr/step"), 1e-6);
}

#[test]
fn plateau() {
    let record = record();
    let accuracies = record.get("accuracies");
    let mut plateau = Plateau::new(0.4).patience(2);
    let mut at = |epoch| plateau_rate(&mut plateau, epoch, accuracies[epoch]);
    let found = (0..accuracies.len()).map(&mut at).collect::<Vec<_>>();
    let mut found = ArrayD::from_shape_vec(vec![found.len()], found).unwrap();
    found.append(ndarray::Axis(0), ndarray::arr1(&[plateau.lr(POSITION)]).into_dyn().view()).unwrap();
    assert_close("plateau", found.view(), record.get("lr/plateau"), 1e-6);
}

const POSITION: Position = Position { epoch: 0, epochs: 1, step: 0, steps: 1, per_epoch: 1 };

/// The rate of an epoch, which then reaches `accuracy`.
fn plateau_rate(plateau: &mut Plateau, epoch: usize, accuracy: f32) -> f32 {
    let rate = plateau.lr(POSITION);
    let correct = (100.0 * accuracy).round() as usize;
    let validation = Some(Summary { loss: 0.0, samples: 100, correct, in_top5: 100 });
    let time = Duration::ZERO;
    plateau.epoch(&Epoch {
        epoch,
        epochs: 13,
        loss: 0.0,
        accuracy: 0.0,
        images: 1,
        skipped: vec![],
        time,
        lr: rate,
        validation,
    });
    rate
}

#[test]
fn losses_against_probabilities() {
    let record = record();
    let matrix = |name: &str| record.get(name).clone().into_dimensionality::<Ix2>().unwrap();
    let (scores, mixed) = (matrix("scores"), matrix("mixed"));
    let labels: Vec<u8> = record.get("labels").iter().map(|&label| label as u8).collect();
    let mut smoothed = Array2::from_elem((5, 7), 0.1 / 7.0);
    labels.iter().enumerate().for_each(|(sample, &label)| smoothed[[sample, usize::from(label)]] += 0.9);
    let (softmax, binary): (&dyn Loss<Array2<f32>>, _) = (&SoftmaxCrossEntropy, &BinaryCrossEntropy);
    for (case, loss, targets) in
        [("smoothed", softmax, &smoothed), ("mixed", softmax, &mixed), ("binary", binary, &mixed)]
    {
        let mut d_scores = Array2::zeros((5, 7));
        let loss = loss.evaluate(scores.view(), targets, d_scores.view_mut()).unwrap();
        let loss = ArrayD::from_elem(vec![1], loss);
        assert_close(&format!("{case} loss"), loss.view(), record.get(&format!("{case}/loss")), 1e-6);
        let golden = record.get(&format!("{case}/d_scores"));
        assert_close(&format!("{case} gradient"), d_scores.view().into_dyn(), golden, 1e-6);
    }
}
