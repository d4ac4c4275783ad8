//! Looking at every layer of a network, and leaving some of them as they are.

use cnn_runtime::data::Arrays;
use cnn_runtime::prelude::*;
use ndarray::{Array4, Axis, arr0, s};

cnn! {
    block unit(c) = add(conv(c, 3x3, p1) -> bn -> silu -> dropout(0.5) -> conv(c, 3x3, p1) -> bn, id) -> silu;

    #[derive(Clone)]
    Looked <2x7x5>
        -> conv(3, 3x3, p1) -> bn -> silu
        -> unit(3)
        -> avgpool(2) -> flatten -> fc(5) -> tanh -> dropout(0.5) -> fc(4);

    /// Between its layers channels stand in blocks.
    Wide <2x7x5> -> conv(32, 3x3, p1) -> silu -> avgpool(3, s2, p1) -> conv(16, 1x1) -> silu -> fc(4);

    /// The first layer of that.
    Head <2x7x5> -> conv(32, 3x3, p1);

    /// A pool whose input shares its gradient with the sum.
    Shared <2x7x5>
        -> stem = conv(3, 3x3, p1) -> moved = tanh
        -> concat(stem -> pool(7x5) -> upsample(7x5), add(moved, stem)) -> fc(4);
}

/// A network whose running statistics are those of some training.
fn trained() -> Looked {
    let images = Array4::from_shape_fn((12, 2, 7, 5), |(n, c, h, w)| ((n * 7 + c * 5 + h * 3 + w) as f32 * 0.7).sin());
    let data = Arrays::new(images, (0..12).map(|n| n % 4).collect(), 4).unwrap();
    let mut net = Looked::new(3);
    Trainer::new(Sgd::new(0.05)).epochs(2).batch(4).fit(&mut net, &data, ()).unwrap();
    net
}

fn batch() -> Array4<f32> {
    Array4::from_shape_fn((2, 2, 7, 5), |(n, c, h, w)| ((n * 11 + c * 3 + h * 5 + w * 2) as f32 * 0.3).cos())
}

/// The score of a class of both samples together.
fn score(net: &Looked, batch: &Array4<f32>, class: usize) -> f64 {
    let mut workspace = net.workspace(2);
    net.forward_batch(&mut workspace, batch.view()).unwrap().column(class).iter().map(|&score| f64::from(score)).sum()
}

#[test]
fn every_layer_shows_what_it_makes_at_inference() {
    let (net, batch) = (trained(), batch());
    let found = net.inspect(batch.view()).unwrap();
    let mut workspace = net.workspace(2);
    let scores = net.forward_batch(&mut workspace, batch.view()).unwrap();
    let last = found.output("fc2").unwrap();
    assert!(last.iter().zip(scores).all(|(a, b)| (a - b).abs() < 1e-5), "{last} against {scores}");
    for layer in found.layers() {
        let output = found.output(layer.name).unwrap();
        assert_eq!(output.shape()[1..], *layer.output, "{}", layer.name);
        assert!(output.iter().any(|&value| value != 0.0), "{}", layer.name);
    }
    assert!(found.gradient("conv1").is_err() && found.input_gradient().is_none());
}

#[test]
fn gradients_say_how_the_score_changes() {
    let (net, batch, class) = (trained(), batch(), 2);
    let found = net.inspect_class(batch.view(), class).unwrap();
    let step = 1e-2;
    let by_input = found.input_gradient().unwrap();
    for index in [[0, 0, 0, 0], [0, 1, 3, 2], [1, 0, 6, 4], [1, 1, 2, 1]] {
        let at = |delta: f32| {
            let mut moved = batch.clone();
            moved[index] += delta;
            score(&net, &moved, class)
        };
        let slope = (at(step) - at(-step)) / f64::from(2.0 * step);
        assert!((slope - f64::from(by_input[index])).abs() < 2e-3, "{index:?}: {slope}, {}", by_input[index]);
    }
    // A bias moves all values of its channel.
    for (layer, channels) in [("bn1", 3), ("unit1.bn2", 3), ("fc1", 5), ("fc2", 4)] {
        let gradient = found.gradient(layer).unwrap();
        for channel in 0..channels {
            let at = |delta: f32| {
                let mut moved = net.clone();
                let name = format!("{layer}.bias");
                let mut bias = moved.tensor(&name).unwrap();
                bias[channel] += delta;
                moved.set_tensor(&name, bias.view()).unwrap();
                score(&moved, &batch, class)
            };
            let slope = (at(step) - at(-step)) / f64::from(2.0 * step);
            let expected = f64::from(gradient.index_axis(Axis(1), channel).sum());
            assert!((slope - expected).abs() < 1e-2, "{layer} {channel}: {slope} against {expected}");
        }
    }
    assert_eq!(found.gradient("fc2").unwrap().slice(s![0, ..]).to_vec(), [0.0, 0.0, 1.0, 0.0]);
}

#[test]
fn channels_are_shown_one_after_the_other_however_they_stand_in_memory() {
    let (mut net, mut head, batch, class) = (Wide::new(5), Head::new(6), batch(), 1);
    for name in ["conv1.weight", "conv1.bias"] {
        head.set_tensor(name, net.tensor(name).unwrap().view()).unwrap();
    }
    let found = net.inspect_class(batch.view(), class).unwrap();
    let mut workspace = head.workspace(2);
    let expected = head.forward_batch(&mut workspace, batch.view()).unwrap();
    let output = found.output("conv1").unwrap();
    assert!(output.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{output} against {expected}");

    let mut workspace = net.train_workspace(2);
    net.forward_train(&mut workspace, batch.view(), 0).unwrap();
    let mut scores = workspace.output_gradient_mut().unwrap();
    scores.fill(0.0);
    scores.column_mut(class).fill(1.0);
    net.backward(&mut workspace).unwrap();
    // A bias moves all values of its channel.
    let by_bias = workspace.gradient("conv1.bias").unwrap();
    let gradient = found.gradient("conv1").unwrap().sum_axis(Axis(3)).sum_axis(Axis(2)).sum_axis(Axis(0));
    assert!(gradient.iter().zip(&by_bias).all(|(a, b)| (a - b).abs() < 1e-5), "{gradient} against {by_bias}");
}

#[test]
fn a_shared_gradient_is_not_taken_for_that_of_the_next_layer() {
    let found = Shared::new(7).inspect_class(batch().view(), 0).unwrap();
    for (layer, shape) in [("pool1", [2, 3, 1, 1]), ("moved", [2, 3, 7, 5]), ("stem", [2, 3, 7, 5])] {
        assert_eq!(found.gradient(layer).unwrap().shape(), shape, "{layer}");
    }
}

#[test]
fn what_there_is_not_is_named() {
    let (net, batch) = (trained(), batch());
    let found = net.inspect(batch.view()).unwrap();
    let error = found.output("conv9").unwrap_err().to_string();
    assert!(error.starts_with("Looked has no layer `conv9`; it has conv1, bn1"), "{error}");
    let error = net.inspect_class(batch.view(), 4).unwrap_err().to_string();
    assert_eq!(error, "class to inspect: expected 0 to 3, the scores of Looked, found 4");
    let error = found.gradient("fc1").unwrap_err().to_string();
    assert_eq!(error, "Looked has no gradient by `fc1`: no class was asked for; `inspect_class` does");
    let found = net.inspect_class(batch.view(), 3).unwrap();
    let error = found.gradient("flatten1").unwrap_err().to_string();
    let expected = "Looked has no gradient by `flatten1`: this layer only passes it on; ask for the layer before it";
    assert_eq!(error, expected);
    let error = net.train_workspace(1).gradient("bn1.running_mean").unwrap_err().to_string();
    assert_eq!(error, "Looked has no gradient by `bn1.running_mean`: it is a running statistic, which is not trained");
    assert!(matches!(net.inspect(batch.slice(s![.., .., ..6, ..])), Err(Error::InputShape { .. })));
    // Before any memory is asked for: for so many samples no machine has enough.
    let zero = arr0(0.0);
    let many = |height| zero.broadcast((1 << 40, 2, height, 5)).unwrap();
    assert!(matches!(net.inspect(many(6)), Err(Error::InputShape { .. })));
    assert!(matches!(net.inspect_class(many(7), 4), Err(Error::DataMismatch { .. })));
}

#[test]
fn a_frozen_block_keeps_its_weights_and_statistics_while_others_learn() {
    let images = Array4::from_shape_fn((12, 2, 7, 5), |(n, c, h, w)| ((n * 3 + c + h * 5 + w) as f32 * 0.9).sin());
    let data = Arrays::new(images, (0..12).map(|n| n % 4).collect(), 4).unwrap();
    let before = trained();
    let mut after = before.clone();
    let sgd = Sgd::new(0.1).momentum(0.9).weight_decay(0.1);
    Trainer::new(sgd).freeze("unit1").freeze("bn1").batch(4).fit(&mut after, &data, ()).unwrap();
    for (name, _) in before.tensors() {
        let frozen = name.starts_with("unit1.") || name.starts_with("bn1.");
        assert_eq!(before.tensor(name).unwrap() == after.tensor(name).unwrap(), frozen, "{name}");
    }
}

#[test]
fn a_head_learns_alone() {
    let images = Array4::from_shape_fn((12, 2, 7, 5), |(n, c, h, w)| ((n * 3 + c + h * 5 + w) as f32 * 0.9).sin());
    let data = Arrays::new(images, (0..12).map(|n| n % 4).collect(), 4).unwrap();
    let before = trained();
    let mut after = before.clone();
    let trainer = || Trainer::new(Sgd::new(0.1).momentum(0.9).weight_decay(0.1)).batch(4);
    trainer().train_only("fc2").train_only("unit1").freeze("unit1.bn1").fit(&mut after, &data, ()).unwrap();
    for (name, _) in before.tensors() {
        let trained = name.starts_with("fc2.") || name.starts_with("unit1.") && !name.starts_with("unit1.bn1.");
        assert_eq!(before.tensor(name).unwrap() != after.tensor(name).unwrap(), trained, "{name}");
    }
    let error = trainer().train_only("fc").fit(&mut after, &data, ()).unwrap_err().to_string();
    assert!(error.starts_with("Looked has no layer `fc`; it has conv1"), "{error}");
}

#[test]
fn a_loop_of_ones_own_freezes_statistics() {
    let (mut net, batch) = (trained(), batch());
    let before = net.clone();
    let mut workspace = net.train_workspace(2);
    workspace.freeze("bn1").unwrap();
    workspace.freeze("unit1.bn2").unwrap();
    net.forward_train(&mut workspace, batch.view(), 1).unwrap();
    for name in ["bn1", "unit1.bn1", "unit1.bn2"] {
        let name = format!("{name}.running_mean");
        let moved = net.tensor(&name).unwrap() != before.tensor(&name).unwrap();
        assert_eq!(moved, name.starts_with("unit1.bn1"), "{name}");
    }
    let error = workspace.freeze("bn2").unwrap_err().to_string();
    assert!(error.starts_with("Looked has no layer `bn2`; it has conv1"), "{error}");
}
