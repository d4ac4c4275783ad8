//! Pictures moved by whole pixels.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Augment;

/// Pads the image with zeros on all four sides and cuts a piece of its old size out at random: a [`RandomShift`] by up
/// to `padding` pixels in each direction (Krizhevsky et al. 2012; with 4 pixels, He et al. 2015 on CIFAR-10).
///
/// The size stays, so this is an [`Augment`] and no [`Crop`](super::Crop): [`WindowCrop`](super::WindowCrop) cuts a
/// smaller image out of a larger one.
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
        RandomShift::new(self.padding, self.padding).apply(image, shape, rng);
    }
}

/// Moves the image by up to `dx` pixels to either side and up to `dy` up or down; the rest is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandomShift {
    dx: u16,
    dy: u16,
}

impl RandomShift {
    /// Shifts by up to `dx` pixels to either side and `dy` up or down.
    pub const fn new(dx: u16, dy: u16) -> Self {
        RandomShift { dx, dy }
    }
}

impl Augment for RandomShift {
    const NAME: &'static str = "random shift";

    fn apply(&self, image: &mut [f32], shape: [usize; 3], rng: &mut ChaCha8Rng) {
        let [dy, dx] = [self.dy, self.dx].map(|reach| rng.random_range(-i32::from(reach)..=i32::from(reach)));
        shift(image, shape, dx, dy);
    }
}

/// Moves every image by the same distance: to test how a network takes shifts, not to train.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    dx: i32,
    dy: i32,
}

impl Shift {
    /// By `dx` pixels to the right and `dy` down; negative ones go left and up.
    pub const fn new(dx: i32, dy: i32) -> Self {
        Shift { dx, dy }
    }
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
