//! Nothing large stands on the stack.

use std::thread;

use cnn_runtime::cnn;
use cnn_runtime::prelude::*;
use ndarray::Array4;

cnn! {
    /// AlexNet with few features: 16 MB of parameters, and maps of a megabyte.
    Large <3x227x227>
        -> conv(96, 11x11, s4, p0) -> relu -> pool(3x3, s2) -> lrn
        -> conv(256, 5x5, s1, p2) -> relu -> pool(3x3, s2) -> lrn
        -> conv(384, 3x3, s1, p1) -> relu
        -> conv(384, 3x3, s1, p1) -> relu
        -> conv(256, 3x3, s1, p1) -> relu -> pool(3x3, s2)
        -> fc(64) -> relu -> dropout(0.5)
        -> fc(64) -> relu -> dropout(0.5)
        -> fc(10)
}

/// Made, run, trained a step, copied and compared.
fn exercise() {
    const { assert!(4 * Large::PARAMS > 16 << 20) };
    let mut net = Large::new(1);
    let mut image = Large::blank_image();
    image[1][100].fill(1.0);
    let mut workspace = net.workspace(1);
    assert_eq!(workspace.bytes(), Large::infer_bytes(1));
    assert!(net.forward(&mut workspace, &image).iter().all(|score| score.is_finite() && *score != 0.0));
    drop(workspace);

    let mut workspace = net.train_workspace(1);
    assert_eq!(workspace.bytes(), Large::train_bytes(1));
    let batch = Array4::from_shape_fn((1, 3, 227, 227), |(_, c, h, w)| ((c + 2 * h + 3 * w) as f32).sin());
    let mut sgd = Sgd::new(1e-4).momentum(0.9).weight_decay(5e-4);
    net.forward_train(&mut workspace, batch.view(), 0).unwrap();
    let before = workspace.loss(&SoftmaxCrossEntropy, &[7]).unwrap();
    net.backward(&mut workspace).unwrap();
    sgd.step(&mut net, &workspace).unwrap();
    net.forward_train(&mut workspace, batch.view(), 0).unwrap();
    let after = workspace.loss(&SoftmaxCrossEntropy, &[7]).unwrap();
    assert!(after < before, "the loss went from {before} to {after}");

    drop((workspace, sgd));
    let copy = Large::from_params(net.params().clone());
    assert!(copy.params() == net.params());
}

#[test]
fn a_large_network_lives_on_a_thread_of_two_mebibytes() {
    // Pass by pass on this thread, where one thread is all there is.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).stack_size(2 << 20).build().unwrap();
    pool.install(exercise);
    // And as programs start threads.
    thread::Builder::new().stack_size(2 << 20).spawn(exercise).unwrap().join().unwrap();
}
