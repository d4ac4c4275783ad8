use ndarray::{Array1, Array4, ArrayD, Axis, s};

use super::*;
use crate::loss::{Mse, SoftmaxCrossEntropy};
use crate::optim::{Optimizer, Sgd};
use crate::toy::Toy;

fn batch(n: usize) -> Array4<f32> {
    Array4::from_shape_fn((n, 1, 2, 3), |(n, _, h, w)| ((n * 6 + h * 3 + w) as f32 * 0.7).sin())
}

/// Weights that pick out the first three inputs and add 10.
fn picker() -> Toy {
    let mut net = Toy::new(0);
    let weight = ArrayD::from_shape_fn(vec![3, 6], |at| f32::from(u8::from(at[0] == at[1])));
    net.set_tensor("fc.weight", weight.view()).unwrap();
    net.set_tensor("fc.bias", Array1::from_elem(3, 10.0).view()).unwrap();
    net
}

#[test]
fn one_image_goes_forward() {
    let net = picker();
    let mut ws = net.workspace(1);
    let mut image = Toy::blank_image();
    assert_eq!(net.forward(&mut ws, &image), &[10.0; 3]);
    image[0][0] = [1.0, 2.0, 3.0];
    assert_eq!(net.forward(&mut ws, &image), &[11.0, 12.0, 13.0]);
}

crate::cnn! {
    Map <1x2x3> -> conv(2, 1x1, nobias);

    Deep <1x2x3> -> conv(4, 2x2) -> bn -> relu -> fc(5) -> relu -> fc(3) -> relu
}

#[test]
fn a_map_is_a_map_and_features_are_one_of_a_pixel_each() {
    let (mut net, images) = (Map::new(0), batch(4));
    net.set_tensor("conv1.weight", ndarray::array![[[[1.0]]], [[[-2.0]]]].view()).unwrap();
    let mut workspace = net.workspace(4);
    let maps = net.forward_maps(&mut workspace, images.view()).unwrap();
    assert_eq!(maps, Array4::from_shape_fn((4, 2, 2, 3), |(n, c, h, w)| [1.0, -2.0][c] * images[[n, 0, h, w]]));
    let (net, mut workspace) = (picker(), picker().workspace(4));
    let maps = net.forward_maps(&mut workspace, images.view()).unwrap();
    assert_eq!(maps.dim(), (4, 3, 1, 1));
    assert_eq!(maps[[3, 1, 0, 0]], 10.0 + images[[3, 0, 0, 1]]);
}

#[test]
fn a_sample_gives_the_same_in_any_batch() {
    let net = Toy::new(3);
    let (mut small, mut large) = (net.workspace(1), net.workspace(7));
    let images = batch(5);
    let together = net.forward_batch(&mut large, images.view()).unwrap();
    assert_eq!(together.dim(), (5, 3));
    for (image, expected) in images.axis_chunks_iter(Axis(0), 1).zip(together.outer_iter()) {
        assert_eq!(net.forward_batch(&mut small, image).unwrap().row(0), expected);
    }
}

#[test]
fn views_of_any_strides_mean_the_same() {
    let net = Toy::new(3);
    let mut ws = net.workspace(4);
    let images = batch(4);
    let expected = net.forward_batch(&mut ws, images.view()).unwrap().to_owned();
    let channels_last = images.clone().permuted_axes([0, 2, 3, 1]).as_standard_layout().to_owned();
    let permuted = channels_last.view().permuted_axes([0, 3, 1, 2]);
    assert_eq!(net.forward_batch(&mut ws, permuted).unwrap(), expected);
    let backwards = images.slice(s![..;-1, .., .., ..]).to_owned();
    assert_eq!(net.forward_batch(&mut ws, backwards.slice(s![..;-1, .., .., ..])).unwrap(), expected);
    let wide = Array4::from_shape_fn((4, 1, 2, 6), |(n, c, h, w)| images[[n, c, h, w / 2]]);
    assert_eq!(net.forward_batch(&mut ws, wide.slice(s![.., .., .., ..;2])).unwrap(), expected);
}

#[test]
fn wrong_batches_are_named() {
    let mut net = Toy::new(0);
    let (mut ws, mut tw) = (net.workspace(4), net.train_workspace(4));
    let cases = [
        ((2, 3, 2, 3), "Toy takes a batch of shape [n, 1, 2, 3], found [2, 3, 2, 3]"),
        ((2, 1, 3, 2), "Toy takes a batch of shape [n, 1, 2, 3], found [2, 1, 3, 2]"),
        ((0, 1, 2, 3), "Toy takes a batch of at least one sample, found an empty one"),
        ((5, 1, 2, 3), "this workspace of Toy holds batches of up to 4 samples, found 5"),
    ];
    for (shape, expected) in cases {
        let images = Array4::zeros(shape);
        assert_eq!(net.forward_batch(&mut ws, images.view()).unwrap_err().to_string(), expected);
        assert_eq!(net.forward_train(&mut tw, images.view(), 0).unwrap_err().to_string(), expected);
    }
}

#[test]
fn tensors_are_copied_in_and_out_by_name() {
    let mut net = picker();
    assert_eq!(net.tensor("fc.weight").unwrap()[[1, 1]], 1.0);
    assert_eq!(net.tensor("seen.running_mean").unwrap().shape(), [1]);
    let names: Vec<_> = net.tensors().map(|(name, tensor)| (name, tensor.shape)).collect();
    assert_eq!(names, [("fc.weight", &[3, 6][..]), ("fc.bias", &[3]), ("seen.running_mean", &[1])]);

    let transposed = ArrayD::from_shape_fn(vec![6, 3], |at| (at[0] * 10 + at[1]) as f32);
    net.set_tensor("fc.weight", transposed.t()).unwrap();
    assert_eq!(net.tensor("fc.weight").unwrap()[[2, 5]], 52.0);

    let error = net.set_tensor("fc.weight", transposed.view()).unwrap_err();
    assert_eq!(error.to_string(), "tensor `fc.weight` has shape [3, 6], found [6, 3]");
    let error = net.tensor("fc.weights").unwrap_err();
    assert_eq!(error.to_string(), "Toy has no tensor `fc.weights`; it has fc.weight, fc.bias, seen.running_mean");
}

#[test]
fn the_seed_makes_the_network() {
    assert_eq!(Toy::new(1), Toy::new(1));
    assert_ne!(Toy::new(1), Toy::new(2));
    assert_ne!(Toy::new(1), Toy::with_init(Init::GlorotUniform, 1));
    assert_eq!(Toy::default(), Toy::new(0));
    let copy = Toy::new(1).clone();
    assert_eq!(copy, Toy::new(1));
    assert!(format!("{copy:?}").len() < 300, "{copy:?}");
}

#[test]
fn memory_is_what_the_plan_says() {
    let net = Toy::new(0);
    assert_eq!(net.workspace(5).bytes(), 32 * 5 * 4);
    assert_eq!(net.train_workspace(5).bytes(), (64 * 5 + 16 + 48) * 4);
    assert_eq!((net.workspace(0).capacity(), net.train_workspace(0).capacity()), (1, 1));
}

#[test]
fn gradients_are_the_slope_of_the_loss() {
    let mut net = Toy::new(9);
    let mut tw = net.train_workspace(4);
    tw.set_input_gradient(true);
    let (images, labels) = (batch(4), [2, 0, 1, 1]);
    let mut loss_of = |net: &mut Toy, images: &Array4<f32>| {
        net.forward_train(&mut tw, images.view(), 0).unwrap();
        tw.loss(&SoftmaxCrossEntropy, &labels).unwrap()
    };
    let step = 1e-2;
    let weight = net.tensor("fc.weight").unwrap();
    let mut slopes = weight.clone();
    for (at, slope) in slopes.indexed_iter_mut() {
        let mut moved = |delta| {
            let mut weight = weight.clone();
            weight[&at] += delta;
            net.set_tensor("fc.weight", weight.view()).unwrap();
            loss_of(&mut net, &images)
        };
        *slope = (moved(step) - moved(-step)) / (2.0 * step);
    }
    net.set_tensor("fc.weight", weight.view()).unwrap();
    let mut moved = images.clone();
    moved[[3, 0, 1, 2]] += step;
    let above = loss_of(&mut net, &moved);
    moved[[3, 0, 1, 2]] -= 2.0 * step;
    let input_slope = (above - loss_of(&mut net, &moved)) / (2.0 * step);

    loss_of(&mut net, &images);
    net.backward(&mut tw).unwrap();
    let gradient = tw.gradient("fc.weight").unwrap();
    assert!((&gradient - &slopes).iter().all(|d| d.abs() < 1e-3), "{gradient} against {slopes}");
    assert!((tw.input_gradient().unwrap()[[3, 0, 1, 2]] - input_slope).abs() < 1e-3);
}

#[test]
fn calls_out_of_turn_are_refused() {
    let mut net = Toy::new(0);
    let mut tw = net.train_workspace(2);
    let mut sgd = Sgd::new(0.1);
    let start = "needs `forward_train` before it";
    assert!(tw.output().unwrap_err().to_string().contains(start));
    assert!(tw.loss(&SoftmaxCrossEntropy, &[0, 1]).unwrap_err().to_string().contains(start));
    assert!(net.backward(&mut tw).unwrap_err().to_string().contains(start));
    net.forward_train(&mut tw, batch(2).view(), 0).unwrap();
    assert!(net.backward(&mut tw).unwrap_err().to_string().contains("`backward` needs `loss`"));
    tw.loss(&SoftmaxCrossEntropy, &[0, 1]).unwrap();
    assert!(sgd.step(&mut net, &tw).unwrap_err().to_string().contains("`step` needs `backward`"));
    assert!(tw.gradient("fc.bias").unwrap_err().to_string().contains("`gradient` needs `backward`"));
    net.backward(&mut tw).unwrap();
    sgd.step(&mut net, &tw).unwrap();
    assert!(tw.gradient("seen.running_mean").unwrap_err().to_string().contains("has no gradient"));
    assert!(tw.input_gradient().unwrap_err().to_string().contains("set_input_gradient(true)"));
    assert!(net.backward(&mut tw).is_err());
}

#[test]
fn what_went_forward_is_there_after_the_backward_pass() {
    let mut net = Deep::new(3);
    let mut workspace = net.train_workspace(3);
    let output = net.forward_train(&mut workspace, batch(3).view(), 1).unwrap().to_owned();
    workspace.loss(&SoftmaxCrossEntropy, &[0, 2, 1]).unwrap();
    net.backward(&mut workspace).unwrap();
    assert_eq!(workspace.output().unwrap(), output);
}

#[test]
fn a_failed_loss_leaves_no_gradient_to_use() {
    let mut net = Toy::new(0);
    let mut tw = net.train_workspace(2);
    net.forward_train(&mut tw, batch(2).view(), 0).unwrap();
    tw.loss(&SoftmaxCrossEntropy, &[0, 1]).unwrap();
    let error = tw.loss(&SoftmaxCrossEntropy, &[0, 3]).unwrap_err();
    assert_eq!(error.to_string(), "label 3 of sample 1 is out of range: expected 0 to 2");
    assert!(net.backward(&mut tw).is_err());
    let error = tw.loss(&Mse, &[f32::NAN; 6]).unwrap_err();
    assert_eq!(error.to_string(), "the loss is NaN, expected a finite number");
    assert!(tw.loss(&SoftmaxCrossEntropy, &[0]).unwrap_err().to_string().contains("calls for 2 labels, found 1"));
    tw.loss(&SoftmaxCrossEntropy, &[0, 1]).unwrap();
    net.backward(&mut tw).unwrap();
}

#[test]
fn a_gradient_by_hand_serves_as_a_loss() {
    let mut net = Toy::new(4);
    let mut tw = net.train_workspace(3);
    let images = batch(2);
    net.forward_train(&mut tw, images.view(), 0).unwrap();
    tw.output_gradient_mut().unwrap().assign(&ndarray::array![[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]]);
    net.backward(&mut tw).unwrap();
    assert_eq!(tw.gradient("fc.bias").unwrap().as_slice().unwrap(), [1.0, 0.0, 2.0]);
    assert_eq!(tw.gradient("fc.weight").unwrap()[[0, 4]], images[[0, 0, 1, 1]]);
}

#[test]
fn training_updates_running_statistics_and_inference_does_not() {
    let mut net = Toy::new(0);
    let (mut ws, mut tw) = (net.workspace(2), net.train_workspace(2));
    let ones = Array4::ones((2, 1, 2, 3));
    net.forward_batch(&mut ws, ones.view()).unwrap();
    assert_eq!(net.tensor("seen.running_mean").unwrap()[[0]], 0.0);
    net.forward_train(&mut tw, ones.view(), 0).unwrap();
    assert!((net.tensor("seen.running_mean").unwrap()[[0]] - 0.1).abs() < 1e-6);
}
