//! Bad input at run time: a typed error that says what was expected and found, and a network that is none the worse.

use std::fs;
use std::io::Write;
use std::path::Path;

use cnn_runtime::data::{Arrays, Dataset, Draw, ImageFiles, cifar, idx};
use cnn_runtime::prelude::*;
use cnn_runtime::testing::uniform;
use cnn_runtime::{Error, cnn};
use flate2::{Compression, write::GzEncoder};
use ndarray::{Array1, Array4, ArrayD, IxDyn};

cnn! {
    #[derive(Clone, Debug, PartialEq)]
    Net <2x6x5> -> conv(3, 3x3, p1) -> bn -> relu -> dropout(0.5) -> fc(4)
}

fn images(n: usize) -> Array4<f32> {
    Array4::from_shape_vec((n, 2, 6, 5), uniform(1, n * 60)).unwrap()
}

/// A whole training step, to show that one is possible.
fn step(net: &mut Net, workspace: &mut TrainWorkspace<Net>) {
    let before = net.clone();
    net.forward_train(workspace, images(2).view(), 1).unwrap();
    assert!(workspace.loss(&SoftmaxCrossEntropy, &[0, 3]).unwrap().is_finite());
    net.backward(workspace).unwrap();
    Sgd::new(0.1).step(net, workspace).unwrap();
    assert_ne!(*net, before);
    let all = net.params().values().iter().chain(net.params().state());
    assert!(all.into_iter().all(|value| value.is_finite()));
}

#[test]
fn wrong_batches_are_refused_before_anything_is_computed() {
    let mut net = Net::new(1);
    let (before, mut infer, mut train) = (net.clone(), net.workspace(4), net.train_workspace(4));
    let expected = net.forward_batch(&mut infer, images(3).view()).unwrap().to_owned();
    let cases = [
        ([3, 1, 6, 5], "Net takes a batch of shape [n, 2, 6, 5], found [3, 1, 6, 5]"),
        ([3, 2, 5, 6], "Net takes a batch of shape [n, 2, 6, 5], found [3, 2, 5, 6]"),
        ([0, 2, 6, 6], "Net takes a batch of shape [n, 2, 6, 5], found [0, 2, 6, 6]"),
        ([0, 2, 6, 5], "Net takes a batch of at least one sample, found an empty one"),
        ([5, 2, 6, 5], "this workspace of Net holds batches of up to 4 samples, found 5"),
    ];
    for (shape, message) in cases {
        let batch = Array4::zeros(shape);
        let error = net.forward_batch(&mut infer, batch.view()).unwrap_err();
        assert_eq!(error.to_string(), message);
        let error = net.forward_train(&mut train, batch.view(), 0).unwrap_err();
        assert_eq!(error.to_string(), message);
        match error {
            Error::InputShape { expected, found, .. } => assert_eq!((expected, found), ([2, 6, 5], shape)),
            Error::EmptyBatch { .. } => assert_eq!(shape[0], 0),
            Error::BatchTooLarge { capacity, found, .. } => assert_eq!((capacity, found), (4, 5)),
            other => panic!("{other:?}"),
        }
        assert_eq!(net, before);
    }
    assert_eq!(net.forward_batch(&mut infer, images(3).view()).unwrap(), expected);
    step(&mut net, &mut train);
}

#[test]
fn wrong_targets_leave_the_forward_pass_standing() {
    let mut net = Net::new(1);
    let mut workspace = net.train_workspace(2);
    net.forward_train(&mut workspace, images(2).view(), 1).unwrap();
    let before = net.clone();
    let message = |result: Result<f32, Error>| result.unwrap_err().to_string();
    assert_eq!(
        message(workspace.loss(&SoftmaxCrossEntropy, &[0, 4])),
        "label 4 of sample 1 is out of range: expected 0 to 3"
    );
    assert_eq!(
        message(workspace.loss(&SoftmaxCrossEntropy, &[-1i64, 0])),
        "label -1 of sample 0 is out of range: expected 0 to 3"
    );
    assert_eq!(
        message(workspace.loss(&SoftmaxCrossEntropy, &[u64::MAX, 0])),
        "label 18446744073709551615 of sample 0 is out of range: expected 0 to 3"
    );
    assert_eq!(message(workspace.loss(&SoftmaxCrossEntropy, &[0; 3])), "the batch calls for 2 labels, found 3");
    assert_eq!(message(workspace.loss(&SoftmaxCrossEntropy, &[0u8; 0])), "the batch calls for 2 labels, found 0");
    assert_eq!(message(workspace.loss(&Mse, &[0.0; 7])), "the batch calls for 8 target values, found 7");
    assert!(matches!(
        workspace.loss(&Mse, &ndarray::Array2::zeros((4, 2))),
        Err(Error::DataMismatch { what: "shape of the targets", .. })
    ));
    assert!(matches!(net.backward(&mut workspace), Err(Error::OutOfTurn { call: "backward", missing: "loss" })));
    assert_eq!(net, before);
    workspace.loss(&SoftmaxCrossEntropy, &[0, 3]).unwrap();
    net.backward(&mut workspace).unwrap();
    step(&mut net, &mut workspace);
}

#[test]
fn a_loss_that_is_not_finite_changes_nothing() {
    let mut net = Net::new(1);
    let mut workspace = net.train_workspace(2);
    for bad in [f32::NAN, f32::INFINITY] {
        let before = net.clone();
        let mut batch = images(2);
        batch[[1, 0, 2, 2]] = bad;
        net.forward_train(&mut workspace, batch.view(), 1).unwrap();
        let error = workspace.loss(&SoftmaxCrossEntropy, &[0, 3]).unwrap_err();
        assert!(matches!(error, Error::LossNotFinite { loss, step: None } if !loss.is_finite()), "{bad}: {error}");
        assert!(error.to_string().ends_with("expected a finite number"), "{error}");
        assert!(matches!(net.backward(&mut workspace), Err(Error::OutOfTurn { .. })));
        assert!(matches!(Sgd::new(0.1).step(&mut net, &workspace), Err(Error::OutOfTurn { .. })));
        assert_eq!(net, before, "{bad}");
        step(&mut net, &mut workspace);
    }
    // A target, too, can be at fault.
    net.forward_train(&mut workspace, images(2).view(), 1).unwrap();
    let error = workspace.loss(&Mse, &[f32::INFINITY; 8]).unwrap_err();
    assert_eq!(error.to_string(), "the loss is inf, expected a finite number");
    step(&mut net, &mut workspace);
}

#[test]
fn the_trainer_names_the_step_and_keeps_what_was_learned() {
    let mut batch = images(6);
    batch[[4, 1, 0, 0]] = f32::NAN;
    let data = Arrays::new(batch, vec![0, 1, 2, 3, 0, 1], 4).unwrap();
    let mut net = Net::new(1);
    let before = net.clone();
    let mut trainer = Trainer::new(Sgd::new(0.1).momentum(0.9)).batch(6);
    let error = trainer.fit(&mut net, &data, ()).unwrap_err();
    assert!(matches!(error, Error::LossNotFinite { step: Some(0), .. }), "{error}");
    assert_eq!(net, before);
    let clean = Arrays::new(images(6), vec![0, 1, 2, 3, 0, 1], 4).unwrap();
    assert!(trainer.fit(&mut net, &clean, ()).unwrap().epochs[0].loss.is_finite());
    let few = Arrays::new(images(6), vec![0, 1, 2, 3, 4, 5], 6).unwrap();
    let error = trainer.fit(&mut net, &few, ()).unwrap_err();
    assert_eq!(error.to_string(), "classes of the data: expected at most 4, the outputs of Net, found 6");
    let narrow = Arrays::new(Array4::zeros((2, 2, 5, 5)), vec![0, 1], 4).unwrap();
    let error = trainer.fit(&mut net, &narrow, ()).unwrap_err();
    assert_eq!(error.to_string(), "shape of the data's samples: expected [2, 6, 5], the input of Net, found [2, 5, 5]");
}

#[test]
fn wrong_tensors_are_refused() {
    let mut net = Net::new(1);
    let before = net.clone();
    let mut message = |name: &str, shape: &[usize]| {
        let error = net.set_tensor(name, ArrayD::zeros(IxDyn(shape)).view()).unwrap_err();
        assert_eq!(net, before);
        error.to_string()
    };
    assert_eq!(message("conv1.weight", &[3, 2, 9]), "tensor `conv1.weight` has shape [3, 2, 3, 3], found [3, 2, 9]");
    assert_eq!(message("fc1.bias", &[]), "tensor `fc1.bias` has shape [4], found []");
    assert_eq!(message("bn1.running_var", &[1]), "tensor `bn1.running_var` has shape [3], found [1]");
    assert!(
        message("conv2.weight", &[3, 2, 3, 3]).starts_with("Net has no tensor `conv2.weight`; it has conv1.weight,")
    );
    net.set_tensor("fc1.bias", Array1::ones(4).view()).unwrap();
    assert_ne!(net, before);
}

/// An IDX file of bytes.
fn idx_bytes(shape: &[u32], values: usize) -> Vec<u8> {
    let header = [0, 0, 8, shape.len() as u8].into_iter();
    header.chain(shape.iter().flat_map(|side| side.to_be_bytes())).chain(std::iter::repeat_n(1, values)).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The error of reading test digits from a folder with these files, which has to name the file at fault.
fn mnist_error(images: &[u8], labels: &[u8], at_fault: Option<&str>) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t10k-images-idx3-ubyte.gz"), images).unwrap();
    fs::write(folder.path().join("t10k-labels-idx1-ubyte.gz"), labels).unwrap();
    let error = idx::mnist(folder.path(), Split::Test).unwrap_err();
    let path = match &error {
        Error::Format { path, .. } | Error::Io { path, .. } => path.as_deref(),
        _ => None,
    };
    assert_eq!(path.and_then(Path::file_stem).and_then(|stem| stem.to_str()), at_fault, "{error}");
    error.to_string()
}

#[test]
fn broken_digit_files_are_named() {
    let (images, labels) = (gzip(&idx_bytes(&[3, 4, 4], 48)), gzip(&idx_bytes(&[3], 3)));
    const IMAGES: Option<&str> = Some("t10k-images-idx3-ubyte");
    const LABELS: Option<&str> = Some("t10k-labels-idx1-ubyte");

    let mut wrong_magic = idx_bytes(&[3, 4, 4], 48);
    wrong_magic[0] = 7;
    let message = mnist_error(&gzip(&wrong_magic), &labels, IMAGES);
    assert!(message.ends_with("expected an IDX file, which starts with 0 0, found 7 0"), "{message}");
    let message = mnist_error(b"<html>not found</html>", &labels, IMAGES);
    assert!(message.ends_with("expected an IDX file, which starts with 0 0, found 60 104"), "{message}");
    let message = mnist_error(&images, &[], LABELS);
    assert!(message.ends_with("expected a magic number of 4 bytes, found the end of the file"), "{message}");

    let message = mnist_error(&gzip(&idx_bytes(&[3, 4, 4], 47)), &labels, IMAGES);
    assert!(message.ends_with("expected 48 bytes of elements, found 47"), "{message}");
    let message = mnist_error(&images, &gzip(&idx_bytes(&[3], 4)), LABELS);
    assert!(message.ends_with("expected 3 bytes of elements, found more"), "{message}");
    let message = mnist_error(&images, &gzip(&idx_bytes(&[2], 2)), None);
    assert_eq!(message, "shape of the labels: expected [3], one per image, found [2]");
    let message = mnist_error(&labels, &images, None);
    assert_eq!(message, "shape of the images: expected [n, h, w] or [n, c, h, w], found [3]");

    mnist_error(&images[..images.len() - 9], &labels, IMAGES);
    mnist_error(&images[..5], &labels, IMAGES);
    let mut flipped = images.clone();
    flipped[images.len() - 6] ^= 1;
    mnist_error(&flipped, &labels, IMAGES);
    // 2^64 bytes and more are refused by their header, fewer once the file turns out to hold none of them.
    let message = mnist_error(&gzip(&idx_bytes(&[u32::MAX; 3], 5)), &labels, IMAGES);
    assert!(message.contains("expected sizes that memory can hold, found [4294967295, 4294967295, 4294967295]"));
    let message = mnist_error(&gzip(&idx_bytes(&[1 << 20, 1 << 10, 1 << 10], 5)), &labels, IMAGES);
    assert!(message.ends_with("expected 1099511627776 bytes of elements, found 5"), "{message}");

    let missing = idx::mnist("no/such/folder", Split::Test).unwrap_err();
    assert!(matches!(missing, Error::Io { path: Some(_), .. }));
    assert!(missing.to_string().contains("no/such/folder"), "{missing}");
}

#[test]
fn broken_cifar_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let message = |bytes: &[u8]| {
        fs::write(folder.path().join("test_batch.bin"), bytes).unwrap();
        let error = cifar::folder(folder.path(), Split::Test).unwrap_err().to_string();
        error.rsplit("test_batch.bin: ").next().unwrap().to_owned()
    };
    let records = "expected 1 to 1200000 records of 3073 bytes, found";
    assert_eq!(message(&[]), format!("{records} 0 bytes"));
    assert_eq!(message(&[1; 2 * 3073 - 1]), format!("{records} 6145 bytes"));
    assert_eq!(message(&[11; 2 * 3073]), "label 11 of sample 0 is out of range: expected 0 to 9");
    assert!(matches!(cifar::folder(folder.path(), Split::Train), Err(Error::Io { path: Some(_), .. })));
}

#[test]
fn a_broken_picture_is_named() {
    let root = tempfile::tempdir().unwrap();
    let emoji = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/emoji");
    let photo = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/photos/china.jpg")).unwrap();
    for class in ["a", "b"] {
        fs::create_dir(root.path().join(class)).unwrap();
    }
    fs::copy(emoji.join("animals/boar.png"), root.path().join("a/boar.png")).unwrap();
    let boar = fs::read(emoji.join("animals/boar.png")).unwrap();
    let broken = [
        ("cut.png", boar[..boar.len() / 2].to_vec()),
        ("empty.jpg", Vec::new()),
        ("text.webp", b"these are words".to_vec()),
        ("cut.jpg", photo[..100].to_vec()),
    ];
    for (name, bytes) in broken {
        let path = root.path().join("b").join(name);
        fs::write(&path, bytes).unwrap();
        let data = ImageFiles::from_folder(root.path(), [3, 8, 8]).unwrap();
        for error in [data.load().unwrap_err(), data.read(Draw::of(1), &mut [0.0; 192]).unwrap_err()] {
            assert!(matches!(&error, Error::Format { path: Some(at), .. } if *at == path), "{name}: {error}");
        }
        assert_eq!(data.read(Draw::of(0), &mut [0.0; 192]).unwrap(), 0);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_sample_that_cannot_be_read_stops_the_training_alone() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("a")).unwrap();
    fs::write(root.path().join("a/broken.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    cnn! { Pictures <1x4x4> -> fc(2) }
    let data = ImageFiles::from_folder(root.path(), [1, 4, 4]).unwrap();
    let mut net = Pictures::new(1);
    let before = net.params().clone();
    let error = Trainer::new(Sgd::new(0.1)).fit(&mut net, &data, ()).unwrap_err();
    assert!(error.to_string().contains("broken.png"), "{error}");
    assert!(evaluate(&net, &mut net.workspace(1), &data).is_err());
    assert_eq!(*net.params(), before);
}
