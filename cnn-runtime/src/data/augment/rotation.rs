//! Pictures turned.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Augment, scratch};
use crate::error::Error;

/// Turns the image about its centre by up to `degrees` either way; what comes in from outside is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rotation {
    degrees: f32,
}

impl Rotation {
    /// Rotations by up to `degrees`, from 0 to 180.
    pub const fn new(degrees: f32) -> Self {
        Rotation { degrees }
    }
}

impl Augment for Rotation {
    const NAME: &'static str = "rotation";

    fn check(&self, _: [usize; 3]) -> Result<(), Error> {
        if (0.0..=180.0).contains(&self.degrees) {
            return Ok(());
        }
        let (option, expected) = ("degrees of a rotation", "0 to 180");
        Err(Error::InvalidOption { option, expected, found: self.degrees.to_string() })
    }

    fn apply(&self, image: &mut [f32], shape: [usize; 3], rng: &mut ChaCha8Rng) {
        rotate(image, shape, rng.random_range(-self.degrees..=self.degrees));
    }
}

/// Turns `image` of `shape` (channels, height, width) about its centre, counter-clockwise, with bilinear interpolation
/// among its pixels and zeros around them.
///
/// # Panics
/// If `image` is not as long as `shape` says.
pub fn rotate(image: &mut [f32], shape: [usize; 3], degrees: f32) {
    let [c, h, w] = shape;
    assert_eq!(image.len(), c * h * w, "the image is as long as the shape says");
    let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
    let [middle_y, middle_x] = [h, w].map(|side| (side as f64 - 1.0) / 2.0);
    scratch::lend(image.len(), |original| {
        original.copy_from_slice(image);
        for y in 0..h {
            for x in 0..w {
                let (dy, dx) = (y as f64 - middle_y, x as f64 - middle_x);
                let corners = corners(middle_y + sin * dx + cos * dy, middle_x + cos * dx - sin * dy, [h, w]);
                for channel in 0..c {
                    let plane = &original[channel * h * w..][..h * w];
                    image[(channel * h + y) * w + x] = corners.iter().map(|&(at, weight)| plane[at] * weight).sum();
                }
            }
        }
    });
}

/// The four pixels around a point of a plane with these sides, and their weights: 0 for those outside.
fn corners(y: f64, x: f64, [h, w]: [usize; 2]) -> [(usize, f32); 4] {
    let (top, left) = (y.floor(), x.floor());
    let (down, right) = ((y - top) as f32, (x - left) as f32);
    let corner = |y: f64, x: f64, weight| {
        let inside = y >= 0.0 && x >= 0.0 && y < h as f64 && x < w as f64;
        if inside { (y as usize * w + x as usize, weight) } else { (0, 0.0) }
    };
    [
        corner(top, left, (1.0 - down) * (1.0 - right)),
        corner(top, left + 1.0, (1.0 - down) * right),
        corner(top + 1.0, left, down * (1.0 - right)),
        corner(top + 1.0, left + 1.0, down * right),
    ]
}
