//! Pictures changed by given amounts, against torchvision's (`make_augment.py`).

use std::sync::LazyLock;

use cnn_runtime::data::augment::{ChaCha8Rng, Crop, Window, colour, rotate};
use cnn_runtime::data::{Arrays, Draw};
use cnn_runtime::prelude::*;
use ndarray::{ArrayD, ArrayView, Axis, Ix3};

use crate::record::{Record, assert_close};

static RECORD: LazyLock<Record> = LazyLock::new(|| Record::new(include_bytes!("augment.safetensors")));

/// Both compute in single precision, values up to 1.
const TOLERANCE: f32 = 2e-6;
/// torchvision's rotation reckons places in single precision too, on a scale from -1 to 1: a pixel 5 from the middle of 11
/// is off by some 1e-6 of a pixel.
const TOLERANCE_OF_PLACES: f32 = 2e-5;

fn image() -> (Vec<f32>, [usize; 3]) {
    let image = RECORD.get("image").view().into_dimensionality::<Ix3>().unwrap();
    let (c, h, w) = image.dim();
    (image.iter().copied().collect(), [c, h, w])
}

/// Holds `change` by each amount on record against it.
fn check(name: &str, tolerance: f32, change: impl Fn(&mut [f32], [usize; 3], f32)) {
    let prefix = format!("{name}/");
    let mut amounts = 0;
    for amount in RECORD.names(&prefix) {
        let (mut image, shape) = image();
        change(&mut image, shape, amount.parse().unwrap());
        let found = ArrayView::from_shape(shape, &image).unwrap().into_dyn();
        assert_close(&format!("{name} by {amount}"), found, RECORD.get(&format!("{prefix}{amount}")), tolerance);
        amounts += 1;
    }
    assert!(amounts >= 4, "{amounts} amounts of {name}");
}

#[test]
fn colours() {
    check("brightness", TOLERANCE, |image, _, factor| colour::adjust_brightness(image, factor));
    check("contrast", TOLERANCE, |image, _, factor| colour::adjust_contrast(image, factor));
    check("saturation", TOLERANCE, |image, _, factor| colour::adjust_saturation(image, factor));
    check("hue", TOLERANCE, |image, _, by| colour::adjust_hue(image, by));
}

#[test]
fn rotations() {
    check("rotation", TOLERANCE_OF_PLACES, rotate);
}

/// Always the same part, at one size.
struct Fixed(Window, [usize; 2]);

impl Crop for Fixed {
    const NAME: &'static str = "fixed";

    fn size(&self) -> [usize; 2] {
        self.1
    }

    fn check(&self, _: [usize; 2]) -> Result<(), Error> {
        Ok(())
    }

    fn window(&self, _: [usize; 2], _: &mut ChaCha8Rng) -> Window {
        self.0
    }
}

#[test]
fn resized_crops() {
    let numbers = |text: &str, between| text.split(between).map(|n| n.parse().unwrap()).collect::<Vec<usize>>();
    let image = RECORD.get("image").view().into_dimensionality::<Ix3>().unwrap();
    let data = Arrays::new(image.insert_axis(Axis(0)).to_owned(), vec![0], 1).unwrap();
    let mut crops = 0;
    for name in RECORD.names("crop/") {
        let (window, size) = name.split_once('/').unwrap();
        let [top, left, height, width] = numbers(window, ',')[..] else { panic!("{window}") };
        let [rows, columns] = numbers(size, 'x')[..] else { panic!("{size}") };
        let cropped = (&data).cropped(Fixed(Window { top, left, height, width }, [rows, columns])).unwrap();
        let mut found = ArrayD::zeros(vec![3, rows, columns]);
        cropped.read(Draw::of(0), found.as_slice_mut().unwrap()).unwrap();
        assert_close(name, found.view(), RECORD.get(&format!("crop/{name}")), TOLERANCE);
        crops += 1;
    }
    assert_eq!(crops, 4);
}
