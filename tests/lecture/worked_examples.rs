//! Convolution and pooling by hand, and the rules of shapes.

use cnn_runtime::prelude::*;
use ndarray::{ArrayD, IxDyn};

/// The filter of the worked examples.
pub const FILTER: [f32; 9] = [2.0, 0.0, 1.0, 0.0, 1.0, 2.0, 1.0, 0.0, 2.0];

/// A 4x4 image.
const IMAGE: [[f32; 4]; 4] = [[1.0, 2.0, 3.0, 0.0], [0.0, 1.0, 2.0, 3.0], [3.0, 0.0, 1.0, 2.0], [2.0, 3.0, 0.0, 1.0]];

/// A network whose `conv1` has these weights.
pub fn with_filters<N: Network>(shape: [usize; 4], weights: &[f32]) -> N {
    let mut net = N::new(0);
    let weights = ArrayD::from_shape_vec(IxDyn(&shape), weights.to_vec()).unwrap();
    net.set_tensor("conv1.weight", weights.view()).unwrap();
    net
}

cnn! {
    Valid <1x4x4> -> conv(1, 3x3, s1, valid, nobias);
    Padded <1x4x4> -> conv(1, 3x3, s1, p1, nobias);
    Same <1x4x4> -> conv(1, 3x3, s1, same, nobias);
    Strided <1x7x7> -> conv(1, 3x3, s2, nobias);
    Pooled <1x4x4> -> pool(2x2, s2);
}

#[test]
fn valid_convolution() {
    let net: Valid = with_filters([1, 1, 3, 3], &FILTER);
    assert_eq!(*net.forward(&mut net.workspace(1), &[IMAGE]), [[[15.0, 16.0], [6.0, 15.0]]]);
}

#[test]
fn padded_convolution_is_as_large_as_its_input() {
    let expected = [[[7.0, 12.0, 10.0, 2.0], [4.0, 15.0, 16.0, 10.0], [10.0, 6.0, 15.0, 6.0], [8.0, 10.0, 4.0, 3.0]]];
    let padded: Padded = with_filters([1, 1, 3, 3], &FILTER);
    assert_eq!(*padded.forward(&mut padded.workspace(1), &[IMAGE]), expected);
    let same: Same = with_filters([1, 1, 3, 3], &FILTER);
    assert_eq!(*same.forward(&mut same.workspace(1), &[IMAGE]), expected);
}

#[test]
fn strided_convolution() {
    // Each row is the one above it, shifted right by one: 1230123, 0123012, 3012301, 2301230, and again.
    let image = std::array::from_fn(|row| std::array::from_fn(|column| [1.0, 2.0, 3.0, 0.0][(column + 7 * row) % 4]));
    assert_eq!(image[1], [0.0, 1.0, 2.0, 3.0, 0.0, 1.0, 2.0]);
    assert_eq!(image[4], image[0]);
    let net: Strided = with_filters([1, 1, 3, 3], &FILTER);
    let expected = [[[15.0, 17.0, 15.0], [17.0, 15.0, 17.0], [15.0, 17.0, 15.0]]];
    assert_eq!(*net.forward(&mut net.workspace(1), &[image]), expected);
}

#[test]
fn max_pooling() {
    let image = [[12.0, 20.0, 30.0, 0.0], [8.0, 12.0, 2.0, 0.0], [34.0, 70.0, 37.0, 4.0], [112.0, 100.0, 25.0, 12.0]];
    let net = Pooled::new(0);
    assert_eq!(*net.forward(&mut net.workspace(1), &[image]), [[[20.0, 30.0], [112.0, 37.0]]]);
}

cnn! {
    Rgb <3x4x4> -> conv(1, 3x3, nobias);
    TwoFilters <1x4x4> -> conv(2, 3x3, nobias);
    RgbTwoFilters <3x4x4> -> conv(2, 3x3, nobias);
}

#[test]
fn a_filter_is_as_deep_as_its_input_and_sums_over_the_channels() {
    // The filter in red, twice the filter in green, nothing in blue.
    let weights = [FILTER, FILTER.map(|weight| 2.0 * weight), [0.0; 9]].concat();
    let net: Rgb = with_filters([1, 3, 3, 3], &weights);
    assert_eq!(*net.forward(&mut net.workspace(1), &[IMAGE; 3]), [[[45.0, 48.0], [18.0, 45.0]]]);
}

#[test]
fn the_output_is_as_deep_as_there_are_filters() {
    let centre = [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    let grey: TwoFilters = with_filters([2, 1, 3, 3], &[FILTER, centre].concat());
    let expected = [[[15.0, 16.0], [6.0, 15.0]], [[1.0, 2.0], [0.0, 1.0]]];
    assert_eq!(*grey.forward(&mut grey.workspace(1), &[IMAGE]), expected);

    let weights = [FILTER, [0.0; 9], [0.0; 9], [0.0; 9], [0.0; 9], centre].concat();
    let rgb: RgbTwoFilters = with_filters([2, 3, 3, 3], &weights);
    assert_eq!(*rgb.forward(&mut rgb.workspace(1), &[IMAGE; 3]), expected);
}

cnn! {
    Shrinks <3x32x30> -> conv(8, 3x3, valid);
    Keeps <3x32x30> -> conv(8, 3x3, same) -> conv(8, 5x5, same);
    Quarters <1x227x227> -> conv(1, 3x3, s2);
    Ninths <1x227x227> -> conv(1, 3x3, s3);
}

#[test]
fn shape_rules() {
    assert_eq!(Shrinks::OUTPUT, [8, 30, 28]);
    assert_eq!(Keeps::OUTPUT, [8, 32, 30]);
    assert_eq!(Quarters::OUTPUT, [1, 113, 113]);
    assert_eq!(Ninths::OUTPUT, [1, 75, 75]);
    assert_eq!(Shrinks::PARAMS, 8 * (3 * 3 * 3 + 1));
    let share = |output: [usize; 3]| (output[1] * output[2]) as f64 / f64::from(227 * 227);
    assert!((share(Quarters::OUTPUT) - 1.0 / 4.0).abs() < 0.005);
    assert!((share(Ninths::OUTPUT) - 1.0 / 9.0).abs() < 0.005);
}

cnn! {
    Classes <1x4x4> -> conv(3, 3x3) -> relu -> fc(5) -> softmax;
    Scores <1x4x4> -> conv(3, 3x3) -> relu -> fc(5) -> sigmoid;
}

#[test]
fn classification_ends_in_softmax_or_sigmoid() {
    let classes = Classes::new(7);
    let mut workspace = classes.workspace(1);
    let probabilities = classes.forward(&mut workspace, &[IMAGE]);
    assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    let scores = Scores::new(7);
    let mut workspace = scores.workspace(1);
    assert!(scores.forward(&mut workspace, &[IMAGE]).iter().all(|score| (0.0..=1.0).contains(score)));
}
