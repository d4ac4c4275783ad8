//! Networks that come from ONNX models: the macro reads what PyTorch exported, and the results are PyTorch's.
//!
//! `make.py` wrote the models and the results; `node_tests.py` and `torch_models.py` prove more than can be shipped.

use std::path::Path;

use cnn_model::onnx::Model;
use cnn_runtime::prelude::*;
use cnn_runtime::weights::Weights;
use ndarray::{Array4, Ix2, Ix4};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/onnx");

cnn! {
    /// By the exporter that traces.
    Traced = onnx "tests/onnx/traced.onnx";

    /// By the one of `torch.export`, which folds normalisation into convolutions.
    Exported = onnx "tests/onnx/exported.onnx" embed;

    // What `cargo run -p cnn-model -- import tests/onnx/traced.onnx` prints.
    Written <2x17x21>
        -> conv(6, 3x3, s2, p1) -> bn -> hardswish <6x9x11>
        -> add(
            id,
            mul(id, avgpool(global) -> conv(3, 1x1) -> silu -> conv(6, 1x1) -> sigmoid) <6x9x11>
                -> dwconv(3x3, p1) -> shift -> prelu <6x9x11>
        ) <6x9x11>
        -> concat(
            avgpool(3, s2, p1, excludepad) -> add(id, upsample(2, bilinear) -> pool(2)),
            conv_transpose(4, 3x3, s2, p1, o1) -> pool(4, ceil) -> elu
        ) <10x5x6>
        -> fc(7) -> log_softmax <7>
}

fn results(name: &str) -> ndarray::ArrayD<f32> {
    Weights::open(Path::new(FOLDER).join("results.safetensors")).unwrap().tensor(name).unwrap()
}

fn images() -> Array4<f32> {
    results("images").into_dimensionality::<Ix4>().unwrap()
}

/// Holds a network's scores of the two images against PyTorch's, by the largest.
fn check<N: Network>(net: &N) {
    let (images, expected) = (images(), results("scores").into_dimensionality::<Ix2>().unwrap());
    let mut workspace = net.workspace(2);
    let scores = net.forward_batch(&mut workspace, images.view()).unwrap();
    let largest = expected.iter().fold(0.0_f32, |largest, score| largest.max(score.abs()));
    for (score, expected) in scores.iter().zip(&expected) {
        assert!((score - expected).abs() <= 1e-5 * largest, "{score} where PyTorch has {expected}");
    }
}

fn loaded<N: Network>(file: &str) -> N {
    let mut net = N::new(3);
    net.load(Path::new(FOLDER).join(file)).unwrap();
    net
}

#[test]
fn both_exporters_models_give_pytorchs_scores() {
    check(&loaded::<Traced>("traced.onnx"));
    check(&loaded::<Exported>("exported.onnx"));
}

#[test]
fn an_embedded_model_needs_no_file() {
    check(&Exported::pretrained().unwrap());
    let error = Traced::pretrained().err().unwrap();
    assert!(error.to_string().contains("Traced"), "{error}");
}

#[test]
fn the_printed_source_is_the_same_network() {
    assert_eq!(Written::HASH, Traced::HASH);
    assert_eq!(Written::SUMMARY.replace("Written", "Traced"), Traced::SUMMARY);
    check(&loaded::<Written>("traced.onnx"));
}

#[test]
fn what_is_exported_comes_back_the_same() {
    let text = |path: &Path| Model::open(path).unwrap().import().unwrap().text;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.onnx");
    let net = loaded::<Traced>("traced.onnx");
    net.export_onnx(&path).unwrap();
    // Rounding up is written as the padding that it comes to.
    let expected = text(&Path::new(FOLDER).join("traced.onnx")).replace("pool(4, ceil)", "pool(4, p0x0x2x2)");
    assert_eq!(text(&path), expected);
    let mut again = Written::new(5);
    again.load(&path).unwrap();
    assert_eq!(again.params().values(), net.params().values());
    assert_eq!(again.params().state(), net.params().state());
}

#[test]
fn an_imported_network_can_be_trained() {
    let mut net = Exported::pretrained().unwrap();
    let images = images();
    let labels = [5_usize, 1];
    // What the last layer makes, logarithms of probabilities, is its own softmax's.
    let mut optimizer = Sgd::new(0.02);
    let mut workspace = net.train_workspace(2);
    let mut losses = Vec::new();
    for step in 0..12 {
        net.forward_train(&mut workspace, images.view(), step).unwrap();
        losses.push(workspace.loss(&SoftmaxCrossEntropy, &labels[..]).unwrap());
        net.backward(&mut workspace).unwrap();
        optimizer.step(&mut net, &workspace).unwrap();
    }
    assert!(losses[11] < 0.5 * losses[0], "{losses:?}");
}

#[test]
fn another_networks_model_is_refused_whole() {
    let mut net = Traced::new(3);
    let before = net.tensor("fc1.weight").unwrap();
    let error = net.load(Path::new(FOLDER).join("exported.onnx")).unwrap_err().to_string();
    assert!(error.contains("bn1.weight") && error.contains("conv1.bias"), "{error}");
    assert_eq!(net.tensor("fc1.weight").unwrap(), before);
    let error = net.load(Path::new(FOLDER).join("einsum.onnx")).unwrap_err().to_string();
    assert!(error.contains("node `trace` (Einsum, opset 17): this operator cannot be imported"), "{error}");
}
