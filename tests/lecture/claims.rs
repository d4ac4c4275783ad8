//! What is said of convolution, pooling and ensembles, in numbers.

use cnn_examples::shipped;
use cnn_runtime::data::{Images, idx};
use cnn_runtime::prelude::*;
use ndarray::{Array2, Array4};

use crate::worked_examples::{FILTER, with_filters};

cnn! {
    Mlp <1x28x28> -> fc(300) -> relu -> fc(100) -> relu -> fc(10);
    FirstOfMlp <1x28x28> -> fc(300);
    FirstOfMlpOnTwiceTheSize <1x56x56> -> fc(300);
    FirstOfCnn <1x28x28> -> conv(6, 5x5);
    FirstOfCnnOnTwiceTheSize <1x56x56> -> conv(6, 5x5);
}

#[test]
fn weights_grow_with_the_product_of_layer_sizes_in_an_mlp_and_not_in_a_cnn() {
    assert_eq!(Mlp::PARAMS, 784 * 300 + 300 + 300 * 100 + 100 + 100 * 10 + 10);
    assert_eq!(FirstOfMlp::PARAMS, 784 * 300 + 300);
    assert_eq!(FirstOfMlpOnTwiceTheSize::PARAMS, 4 * 784 * 300 + 300);
    assert_eq!(FirstOfCnn::PARAMS, 6 * 25 + 6);
    assert_eq!(FirstOfCnnOnTwiceTheSize::PARAMS, 6 * 25 + 6);
}

cnn! {
    Finder <1x9x11> -> conv(1, 3x3, nobias) -> relu -> pool(global);
    Perceptron <1x9x11> -> fc(5) -> relu;
}

/// The filter's own pattern at a place of an otherwise black image.
fn pattern_at(row: usize, column: usize) -> [[[f32; 11]; 9]; 1] {
    let mut image = [[0.0; 11]; 9];
    for (index, weight) in FILTER.iter().enumerate() {
        image[row + index / 3][column + index % 3] = *weight;
    }
    [image]
}

#[test]
fn a_cnn_finds_a_pattern_wherever_it_stands_and_an_mlp_does_not() {
    let finder: Finder = with_filters([1, 1, 3, 3], &FILTER);
    let mlp = Perceptron::new(1);
    let (mut found, mut scores) = (finder.workspace(1), mlp.workspace(1));
    let at_corner = *mlp.forward(&mut scores, &pattern_at(0, 0));
    // The filter meets itself: the sum of its squares.
    let energy = FILTER.iter().map(|weight| weight * weight).sum::<f32>();
    for row in 0..=6 {
        for column in 0..=8 {
            let image = pattern_at(row, column);
            assert_eq!(*finder.forward(&mut found, &image), [[[energy]]], "at {row}, {column}");
            if (row, column) != (0, 0) {
                assert_ne!(*mlp.forward(&mut scores, &image), at_corner, "at {row}, {column}");
            }
        }
    }
}

cnn! {
    Shrunk <1x8x8> -> pool(2, s2);
    Filtered <1x5x7> -> conv(1, 3x3, valid, nobias);
}

#[test]
fn pooling_tolerates_a_shift_inside_its_window() {
    let pool = Shrunk::new(0);
    let mut workspace = pool.workspace(1);
    let mut pooled = |row: usize, column: usize| {
        let mut image = [[[0.0; 8]; 8]];
        image[0][row][column] = 1.0;
        *pool.forward(&mut workspace, &image)
    };
    assert_eq!(pooled(2, 4), pooled(3, 5));
    assert_eq!(pooled(2, 4), pooled(2, 5));
    assert_ne!(pooled(2, 4), pooled(2, 6));
}

#[test]
fn filters_find_edges_blur_and_sharpen() {
    // Dark, and bright from the fourth column on.
    let step = [[[1.0, 1.0, 1.0, 9.0, 9.0, 9.0, 9.0]; 5]];
    let row = |weights: [f32; 9]| {
        let net: Filtered = with_filters([1, 1, 3, 3], &weights);
        let output = *net.forward(&mut net.workspace(1), &step);
        assert_eq!((output[0][0], output[0][0]), (output[0][1], output[0][2]), "all rows are the same");
        output[0][0]
    };
    assert_eq!(row([-1.0, 0.0, 1.0, -2.0, 0.0, 2.0, -1.0, 0.0, 1.0]), [0.0, 32.0, 32.0, 0.0, 0.0]);
    assert_eq!(row([-1.0, -2.0, -1.0, 0.0, 0.0, 0.0, 1.0, 2.0, 1.0]), [0.0; 5]);
    let blurred = row([1.0, 2.0, 1.0, 2.0, 4.0, 2.0, 1.0, 2.0, 1.0].map(|weight| weight / 16.0));
    assert_eq!(blurred, [1.0, 3.0, 7.0, 9.0, 9.0]);
    let sharpened = row([0.0, -1.0, 0.0, -1.0, 5.0, -1.0, 0.0, -1.0, 0.0]);
    assert_eq!(sharpened, [1.0, -7.0, 17.0, 9.0, 9.0]);
}

cnn! {
    Member <1x28x28> -> conv(4, 5x5, s2) -> relu -> pool(2) -> fc(10);
    Probabilities <10x1x1> -> softmax;
}

#[test]
fn an_ensemble_of_seven_beats_its_average_member() {
    let digits = idx::mnist(shipped("mnist"), Split::Train).unwrap();
    let tests = idx::mnist(shipped("mnist"), Split::Test).unwrap();
    let (images, labels) = (all_images(&tests), tests.labels());
    let accuracy = |scores: &Array2<f32>| {
        cnn_runtime::metrics::correct(scores.view(), labels).unwrap() as f64 / labels.len() as f64
    };

    let learnt = digits.take(500);
    let mut sum = Array2::zeros((labels.len(), 10));
    let mut members = 0.0;
    for seed in 0..7 {
        let mut member = Member::new(seed);
        let sgd = Sgd::new(0.05).momentum(0.9).weight_decay(5e-4);
        Trainer::new(sgd).epochs(4).batch(20).seed(seed).fit(&mut member, &learnt, ()).unwrap();
        let scores = member.forward_batch(&mut member.workspace(labels.len()), images.view()).unwrap().into_owned();
        let scores = scores.into_shape_with_order((labels.len(), 10, 1, 1)).unwrap();
        let softmax = Probabilities::new(0);
        let mut workspace = softmax.workspace(labels.len());
        let probabilities = softmax.forward_batch(&mut workspace, scores.view()).unwrap().into_owned();
        members += accuracy(&probabilities) / 7.0;
        sum += &probabilities;
    }
    let ensemble = accuracy(&sum);
    assert!(members > 0.75, "the members learnt too little: {members}");
    assert!(ensemble > members + 0.03, "{ensemble} against {members}");
}

/// A data set as one batch, from 0 to 1.
fn all_images(data: &Images) -> Array4<f32> {
    let [c, h, w] = data.shape();
    let pixels = (0..data.len()).flat_map(|index| data.pixels(index)).map(|&pixel| f32::from(pixel) / 255.0);
    Array4::from_shape_vec((data.len(), c, h, w), pixels.collect()).unwrap()
}
