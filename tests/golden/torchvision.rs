//! State dicts of torchvision's networks load as PyTorch saves them, and give the logits that they give there.
//!
//! `make_torchvision.py` makes them: those of narrow networks, which ship, and those of the networks as they are.

use std::path::{Path, PathBuf};

use cnn_runtime::cnn;
use cnn_runtime::info::Role;
use cnn_runtime::prelude::*;
use cnn_runtime::testing::uniform;
use cnn_runtime::weights::{self, Loader, Naming, Saver, Tensor, Weights};
use ndarray::{Array2, Array4, ArrayD};

use crate::record::assert_close;

cnn! {
    block alexnet(by, hidden, classes) =
        conv(64 / by, 11x11, s4, p2) -> relu -> pool(3, s2)
        -> conv(192 / by, 5x5, p2) -> relu -> pool(3, s2)
        -> conv(384 / by, 3x3, p1) -> relu -> conv(256 / by, 3x3, p1) -> relu
        -> conv(256 / by, 3x3, p1) -> relu -> pool(3, s2)
        -> dropout -> fc(hidden) -> relu -> dropout -> fc(hidden) -> relu -> fc(classes);

    block classifier(hidden, classes) =
        fc(hidden) -> relu -> dropout -> fc(hidden) -> relu -> dropout -> fc(classes);

    block plain(c) = conv(c, 3x3, p1) -> relu;

    // torchvision's convolutions have a bias here, though it does nothing.
    block normalised(c) = conv(c, 3x3, p1, bias) -> bn -> relu;

    block stem(c) = conv(c, 7x7, s2, p3) -> bn -> relu -> pool(3, s2, p1);

    block basic(c, s = 1) =
        add(conv(c, 3x3, s, p1) -> bn -> relu -> conv(c, 3x3, p1) -> bn, shortcut(c, s)) -> relu;

    block bottleneck(c, s = 1) =
        add(conv(c, 1x1) -> bn -> relu -> conv(c, 3x3, s, p1) -> bn -> relu -> conv(4 * c, 1x1) -> bn,
            shortcut(4 * c, s))
        -> relu;

    block resnet18(by, classes) =
        stem(64 / by)
        -> basic(64 / by) * 2
        -> basic(128 / by, s2) -> basic(128 / by)
        -> basic(256 / by, s2) -> basic(256 / by)
        -> basic(512 / by, s2) -> basic(512 / by)
        -> avgpool(global) -> fc(classes);

    NarrowAlexNet <3x224x224> -> alexnet(32, 32, 10);

    NarrowVgg11 <3x224x224>
        -> normalised(2) -> pool(2) -> normalised(4) -> pool(2) -> normalised(8) * 2 -> pool(2)
        -> normalised(16) * 2 -> pool(2) -> normalised(16) * 2 -> pool(2)
        -> classifier(32, 10);

    NarrowResNet18 <3x224x224> -> resnet18(16, 10);

    NarrowBottlenecks <3x224x224>
        -> stem(4) -> bottleneck(4) -> bottleneck(8, s2) -> bottleneck(8) -> bottleneck(16, s2) -> bottleneck(32, s2)
        -> avgpool(global) -> fc(10);

    AlexNet <3x224x224> -> alexnet(1, 4096, 1000);

    Vgg16 <3x224x224>
        -> plain(64) * 2 -> pool(2) -> plain(128) * 2 -> pool(2) -> plain(256) * 3 -> pool(2)
        -> plain(512) * 3 -> pool(2) -> plain(512) * 3 -> pool(2)
        -> classifier(4096, 1000);

    ResNet18 <3x224x224> -> resnet18(1, 1000);

    ResNet50 <3x224x224>
        -> stem(64)
        -> bottleneck(64) * 3
        -> bottleneck(128, s2) -> bottleneck(128) * 3
        -> bottleneck(256, s2) -> bottleneck(256) * 5
        -> bottleneck(512, s2) -> bottleneck(512) * 2
        -> avgpool(global) -> fc(1000);
}

/// How far logits may lie from PyTorch's, by the largest of them.
const LOGITS: f32 = 1e-4;

/// The two images that the script makes as well.
fn images() -> Array4<f32> {
    let mut index = 0u64;
    Array4::from_shape_simple_fn((2, 3, 224, 224), || {
        let bits = (index * 2_654_435_761) as u32 >> 8;
        index += 1;
        bits as f32 / (1 << 23) as f32 - 1.0
    })
}

fn logits<N: Network>(net: &N) -> Array2<f32> {
    net.forward_batch(&mut net.workspace(2), images().view()).unwrap().to_owned()
}

/// The largest distance, by the largest golden magnitude.
fn distance(found: &Array2<f32>, golden: &ArrayD<f32>) -> f32 {
    let largest = golden.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    found.iter().zip(golden).fold(0.0f32, |distance, (a, b)| distance.max((a - b).abs())) / largest
}

/// Loads `NAME.safetensors` of a folder, with its names taken as they have to be, and compares.
fn agrees<N: Network>(folder: &Path, name: &str) -> N {
    let golden = Weights::open(folder.join("logits.safetensors")).unwrap().tensor(name).unwrap();
    let mut net = N::new(1);
    let loaded = Loader::new().load(&mut net, folder.join(format!("{name}.safetensors"))).unwrap();
    assert_eq!((loaded.naming, loaded.loaded.len()), (Naming::Torchvision, N::INFO.tensors.len()));
    let found = logits(&net);
    println!("{name}: logits are {:.1e} of the largest apart", distance(&found, &golden));
    assert_close(name, found.view().into_dyn(), &golden, LOGITS);
    net
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/torchvision")
}

#[test]
fn alexnet() {
    let net = agrees::<NarrowAlexNet>(&shipped(), "alexnet");
    // The same weights, as NumPy's `savez_compressed` writes them.
    let mut same = NarrowAlexNet::new(3);
    same.load(shipped().join("alexnet.npz")).unwrap();
    assert_eq!(same.params(), net.params());
}

#[test]
fn vgg() {
    agrees::<NarrowVgg11>(&shipped(), "vgg11_bn");
}

#[test]
fn resnet_of_basic_blocks() {
    let net = agrees::<NarrowResNet18>(&shipped(), "resnet18");
    // Saved again, the file has PyTorch's tensors but for the counts of batches, which it does not miss.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("resnet18.safetensors");
    Saver::new().naming(Naming::Torchvision).save(&net, &path).unwrap();
    let (theirs, ours) = (Weights::open(shipped().join("resnet18.safetensors")).unwrap(), Weights::open(path).unwrap());
    let counted = theirs.tensors().filter(|tensor| !tensor.name().ends_with("num_batches_tracked")).count();
    assert_eq!(counted, ours.tensors().count());
    for tensor in ours.tensors() {
        assert_eq!(ours.tensor(tensor.name()).unwrap(), theirs.tensor(tensor.name()).unwrap(), "{}", tensor.name());
    }
}

#[test]
fn resnet_of_bottlenecks() {
    agrees::<NarrowBottlenecks>(&shipped(), "bottlenecks");
}

/// Loads PyTorch's file, and leaves one of ours and its logits for PyTorch to load.
fn both_ways<N: Network>(folder: &Path, name: &str) {
    drop(agrees::<N>(folder, name));
    let mut net = N::new(2);
    for (seed, tensor) in N::INFO.tensors.iter().enumerate() {
        // Biases and statistics start as zeros and ones, which a wrong name would not show.
        let centre = match tensor.role {
            Role::Weight => continue,
            Role::Bias | Role::Shift | Role::RunningMean => 0.0,
            Role::Scale | Role::RunningVar => 1.0,
            Role::Slope => 0.25,
            role => unreachable!("no values for {role:?}"),
        };
        let values = uniform(seed as u64, tensor.len()).iter().map(|value| centre + 0.2 * value).collect();
        net.set_tensor(tensor.name, ArrayD::from_shape_vec(tensor.shape, values).unwrap().view()).unwrap();
    }
    let ours = folder.join("ours");
    std::fs::create_dir_all(&ours).unwrap();
    for kind in ["safetensors", "npz"] {
        Saver::new().naming(Naming::Torchvision).save(&net, ours.join(format!("{name}.{kind}"))).unwrap();
    }
    let logits = logits(&net);
    let tensor = Tensor::floats("logits", [2, 1000], logits.as_slice().unwrap());
    weights::write(ours.join(format!("{name}.logits.safetensors")), &Default::default(), &[tensor]).unwrap();
}

#[test]
#[ignore = "needs a folder of 1 GB that make_torchvision.py makes, in CNN_TORCHVISION"]
fn torchvision_at_full_size() {
    let folder = std::env::var_os("CNN_TORCHVISION").expect("CNN_TORCHVISION names the folder");
    let folder = Path::new(&folder);
    both_ways::<AlexNet>(folder, "alexnet");
    both_ways::<Vgg16>(folder, "vgg16");
    both_ways::<ResNet18>(folder, "resnet18");
    both_ways::<ResNet50>(folder, "resnet50");
}
