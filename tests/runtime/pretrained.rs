//! Weights that are a part of the binary.

use std::path::Path;

use cnn_runtime::prelude::*;
use cnn_runtime::weights::Weights;
use cnn_runtime::{Error, cnn};
use ndarray::{ArrayD, arr1, arr2};

cnn! {
    #[derive(Clone, Debug, PartialEq)]
    Xor <1x1x2> weights = "tests/runtime/xor.safetensors" embed -> fc(2) -> relu -> fc(1);

    Checked <1x1x2> weights = "tests/runtime/xor.safetensors" -> fc(2) -> relu -> fc(1);
}

/// The network as a page of logic has it: how many of the inputs are set, less twice what both are.
fn by_hand() -> Xor {
    let tensors: [(&str, ArrayD<f32>); 4] = [
        ("fc1.weight", arr2(&[[1.0, 1.0], [1.0, 1.0]]).into_dyn()),
        ("fc1.bias", arr1(&[0.0, -1.0]).into_dyn()),
        ("fc2.weight", arr2(&[[1.0, -2.0]]).into_dyn()),
        ("fc2.bias", arr1(&[0.0]).into_dyn()),
    ];
    let mut net = Xor::new(1);
    for (name, values) in &tensors {
        net.set_tensor(name, values.view()).unwrap();
    }
    net
}

#[test]
fn the_file_is_the_network_by_hand() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("xor.safetensors");
    by_hand().save(&path).unwrap();
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/runtime/xor.safetensors");
    let same = std::fs::read(&path).unwrap() == std::fs::read(kept).unwrap();
    assert!(same, "{kept} is not what is saved today: if that is meant, copy {} over it", path.display());
}

#[test]
fn an_instance_is_made_of_what_is_embedded() {
    let net = Xor::pretrained().unwrap();
    assert_eq!(net, by_hand());
    let mut workspace = net.workspace(1);
    for (a, b) in [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)] {
        assert_eq!(net.forward(&mut workspace, &[[[a, b]]]), &[f32::from(a != b)]);
    }
    let embedded = Xor::INFO.weights.unwrap();
    assert_eq!(embedded.path, "tests/runtime/xor.safetensors");
    assert!(embedded.bytes.as_ptr().addr().is_multiple_of(64));
    assert_eq!(Weights::from_static(embedded.bytes).unwrap().metadata()["network"], "Xor");
}

#[test]
fn a_network_that_embeds_nothing_says_so() {
    let Err(error) = Checked::pretrained() else { panic!("nothing is embedded") };
    assert!(matches!(error, Error::NothingEmbedded { network: "Checked" }));
    let text = "Checked has no weights in this binary: its declaration needs `embed` behind the file, as in \
                `weights = \"net.safetensors\" embed` or `onnx \"model.onnx\" embed`";
    assert_eq!(error.to_string(), text);
}
