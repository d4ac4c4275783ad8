//! Random changes that leave a picture's meaning alone, so that a network learns what matters.
//!
//! Every change depends on the seed of the run, the epoch and the sample's index, and on nothing else: a run is
//! repeatable on any number of threads. New pixels are 0, so augment before normalising, while 0 is black.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Dataset, Draw};
use crate::error::Error;
use crate::random;

/// A change of an image in place, at random or not.
pub trait Augment: Sync {
    /// Tells the random numbers of this change from those of others.
    const NAME: &'static str;

    /// Changes `image`, which has `shape` (channels, height, width) and stands in CHW order.
    fn apply(&self, image: &mut [f32], shape: [usize; 3], rng: &mut ChaCha8Rng);
}

/// Pads the image with zeros on all four sides and cuts a piece of its old size out at random: a shift by up to
/// `padding` pixels in each direction (Krizhevsky et al. 2012; with 4 pixels, He et al. 2015 on CIFAR-10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandomCrop {
    padding: u16,
}

impl RandomCrop {
    /// Crops out of an image padded by `padding` pixels.
    pub const fn new(padding: u16) -> Self {
        RandomCrop { padding }
    }
}

impl Augment for RandomCrop {
    const NAME: &'static str = "random crop";

    fn apply(&self, image: &mut [f32], shape: [usize; 3], rng: &mut ChaCha8Rng) {
        let reach = i32::from(self.padding);
        let [dy, dx] = [(); 2].map(|()| rng.random_range(-reach..=reach));
        shift(image, shape, dx, dy);
    }
}

/// Mirrors every other image left to right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HorizontalFlip;

impl Augment for HorizontalFlip {
    const NAME: &'static str = "horizontal flip";

    fn apply(&self, image: &mut [f32], shape: [usize; 3], rng: &mut ChaCha8Rng) {
        if rng.random() {
            image.chunks_exact_mut(shape[2].max(1)).for_each(<[f32]>::reverse);
        }
    }
}

/// Moves every image by the same distance: to test how a network takes shifts, not to train.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    /// Pixels to the right; negative to the left.
    pub dx: i32,
    /// Pixels down; negative up.
    pub dy: i32,
}

impl Augment for Shift {
    const NAME: &'static str = "shift";

    fn apply(&self, image: &mut [f32], shape: [usize; 3], _: &mut ChaCha8Rng) {
        shift(image, shape, self.dx, self.dy);
    }
}

/// Moves `image` of `shape` (channels, height, width) right by `dx` and down by `dy` pixels and fills in zeros.
///
/// # Panics
/// If `image` is not as long as `shape` says.
pub fn shift(image: &mut [f32], shape: [usize; 3], dx: i32, dy: i32) {
    let [c, h, w] = shape;
    assert_eq!(image.len(), c * h * w, "the image is as long as the shape says");
    if image.is_empty() {
        return;
    }
    for plane in image.chunks_exact_mut(h * w) {
        shift_lengthwise(plane, dy.unsigned_abs() as usize, dy > 0, w);
        for row in plane.chunks_exact_mut(w) {
            shift_lengthwise(row, dx.unsigned_abs() as usize, dx > 0, 1);
        }
    }
}

/// Moves `values` by `steps` units of `unit` floats, forward or back, and fills in zeros.
fn shift_lengthwise(values: &mut [f32], steps: usize, forward: bool, unit: usize) {
    let len = values.len();
    let by = steps.saturating_mul(unit).min(len);
    if forward {
        values.copy_within(..len - by, by);
        values[..by].fill(0.0);
    } else {
        values.copy_within(by.., 0);
        values[len - by..].fill(0.0);
    }
}

/// A data set whose images are changed as they are read. Made by [`Dataset::augmented`].
#[derive(Clone, Debug)]
pub struct Augmented<D, A> {
    data: D,
    augment: A,
}

impl<D, A> Augmented<D, A> {
    pub(super) fn new(data: D, augment: A) -> Self {
        Augmented { data, augment }
    }
}

impl<D: Dataset, A: Augment> Dataset for Augmented<D, A> {
    fn len(&self) -> usize {
        self.data.len()
    }

    fn shape(&self) -> [usize; 3] {
        self.data.shape()
    }

    fn classes(&self) -> usize {
        self.data.classes()
    }

    fn class_names(&self) -> &[String] {
        self.data.class_names()
    }

    fn read(&self, draw: Draw, image: &mut [f32]) -> Result<usize, Error> {
        let label = self.data.read(draw, image)?;
        let mut rng = random::stream(draw.seed, A::NAME, draw.epoch, draw.index as u64);
        self.augment.apply(image, self.shape(), &mut rng);
        Ok(label)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array4;

    use super::super::Arrays;
    use super::*;

    const SHAPE: [usize; 3] = [2, 2, 3];

    fn shifted(dx: i32, dy: i32) -> Vec<f32> {
        let mut image: Vec<f32> = (1..=12).map(|v| v as f32).collect();
        shift(&mut image, SHAPE, dx, dy);
        image
    }

    #[test]
    fn shift_moves_every_channel_and_fills_with_zeros() {
        assert_eq!(shifted(1, 0), [0., 1., 2., 0., 4., 5., 0., 7., 8., 0., 10., 11.]);
        assert_eq!(shifted(-1, 1), [0., 0., 0., 2., 3., 0., 0., 0., 0., 8., 9., 0.]);
        assert_eq!(shifted(0, -1), [4., 5., 6., 0., 0., 0., 10., 11., 12., 0., 0., 0.]);
        for far in [(3, 0), (0, -2), (i32::MIN, 0), (0, i32::MAX)] {
            assert_eq!(shifted(far.0, far.1), [0.0; 12], "{far:?}");
        }
        shift(&mut [], [0, 5, 5], 1, 1);
    }

    fn data() -> Arrays {
        let images = Array4::from_shape_fn((64, 1, 5, 7), |(n, _, h, w)| (n * 35 + h * 7 + w + 1) as f32);
        Arrays::new(images, (0..64).collect(), 64).unwrap()
    }

    fn read(data: &impl Dataset, index: usize, epoch: u64, seed: u64) -> Vec<f32> {
        let mut image = vec![f32::NAN; 35];
        assert_eq!(data.read(Draw { index, epoch, seed }, &mut image).unwrap(), index);
        image
    }

    #[test]
    fn random_crops_are_shifts_up_to_the_padding_and_reach_all_of_them() {
        let crops = data().augmented(RandomCrop::new(1));
        let mut seen = std::collections::HashSet::new();
        for index in 0..64 {
            let image = read(&crops, index, 0, 1);
            let original = read(&data(), index, 0, 1);
            let (dy, dx) = (-1..=1)
                .flat_map(|dy| (-1..=1).map(move |dx| (dy, dx)))
                .find(|&(dy, dx)| {
                    let mut candidate = original.clone();
                    shift(&mut candidate, [1, 5, 7], dx, dy);
                    candidate == image
                })
                .expect("a shift by at most one pixel");
            seen.insert((dy, dx));
        }
        assert_eq!(seen.len(), 9);
    }

    #[test]
    fn about_half_of_the_images_are_flipped() {
        let flips = data().augmented(HorizontalFlip);
        let flipped = (0..64).filter(|&index| read(&flips, index, 0, 2) != read(&data(), index, 0, 2)).count();
        assert!((20..=44).contains(&flipped), "{flipped} of 64");
        let mirrored = (0..64).map(|i| read(&flips, i, 0, 2)).find(|image| image[0] > image[6]).unwrap();
        assert!(mirrored.chunks(7).all(|row| row.is_sorted_by(|a, b| a > b)));
    }

    #[test]
    fn seed_epoch_and_index_decide() {
        let crops = data().augmented(RandomCrop::new(2)).augmented(HorizontalFlip);
        let run = |epoch, seed| (0..64).map(|index| read(&crops, index, epoch, seed)).collect::<Vec<_>>();
        let backwards: Vec<_> = (0..64).rev().map(|index| read(&crops, index, 3, 4)).rev().collect();
        assert_eq!(run(3, 4), backwards);
        assert_ne!(run(3, 4), run(4, 4));
        assert_ne!(run(3, 4), run(3, 5));
    }
}
