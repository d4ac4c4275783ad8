//! Pictures in other colours. Values are from 0 to 1 and stay there; the arithmetic is torchvision's, to which the tests
//! hold it.

use std::ops::RangeInclusive;

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{Augment, check_colours};
use crate::error::Error;

/// Changes brightness, contrast, saturation and hue at random and in random order, by as much as is set of each: nothing
/// unless it is. As torchvision's `ColorJitter`; contrast and brightness go back to Howard 2013.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ColourJitter {
    brightness: f32,
    contrast: f32,
    saturation: f32,
    hue: f32,
}

impl ColourJitter {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Brightness times `1 - by` (at least 0) to `1 + by`.
    #[must_use]
    pub fn brightness(mut self, by: f32) -> Self {
        self.brightness = by;
        self
    }

    /// Contrast times `1 - by` (at least 0) to `1 + by`.
    #[must_use]
    pub fn contrast(mut self, by: f32) -> Self {
        self.contrast = by;
        self
    }

    /// Saturation times `1 - by` (at least 0) to `1 + by`.
    #[must_use]
    pub fn saturation(mut self, by: f32) -> Self {
        self.saturation = by;
        self
    }

    /// Hue turned by up to `by` of the colour circle, which is 0.5 at most.
    #[must_use]
    pub fn hue(mut self, by: f32) -> Self {
        self.hue = by;
        self
    }
}

/// A change of colour by some amount.
type Adjust = fn(&mut [f32], f32);

impl Augment for ColourJitter {
    const NAME: &'static str = "colour jitter";

    fn check(&self, shape: [usize; 3]) -> Result<(), Error> {
        check_colours(shape)?;
        let factors = [self.brightness, self.contrast, self.saturation];
        if factors.iter().all(|by| by.is_finite() && *by >= 0.0) && (0.0..=0.5).contains(&self.hue) {
            return Ok(());
        }
        let (option, expected) = ("colour jitter", "finite numbers of 0 or more, and a hue of up to 0.5");
        Err(Error::InvalidOption { option, expected, found: format!("{self:?}") })
    }

    fn apply(&self, image: &mut [f32], _: [usize; 3], rng: &mut ChaCha8Rng) {
        let factor = |by: f32| (1.0 - by).max(0.0)..=1.0 + by;
        let mut changes: [(f32, Adjust, RangeInclusive<f32>); 4] = [
            (self.brightness, adjust_brightness, factor(self.brightness)),
            (self.contrast, adjust_contrast, factor(self.contrast)),
            (self.saturation, adjust_saturation, factor(self.saturation)),
            (self.hue, adjust_hue, -self.hue..=self.hue),
        ];
        changes.shuffle(rng);
        for (by, adjust, range) in changes {
            if by > 0.0 {
                adjust(image, rng.random_range(range));
            }
        }
    }
}

/// Multiplies brightness: 0 is black, 1 the image as it is.
pub fn adjust_brightness(image: &mut [f32], factor: f32) {
    image.iter_mut().for_each(|value| *value = (*value * factor).clamp(0.0, 1.0));
}

/// Multiplies the distance from the mean grey of a colour image in CHW order: 0 is all grey, 1 the image as it is.
pub fn adjust_contrast(image: &mut [f32], factor: f32) {
    let (mut sum, mut count) = (0.0f64, 0.0);
    for_each_pixel(image, |pixel| {
        sum += f64::from(grey(pixel));
        count += 1.0;
        pixel
    });
    let mean = (sum / f64::max(count, 1.0)) as f32;
    image.iter_mut().for_each(|value| *value = blend(*value, mean, factor));
}

/// Multiplies the distance of each pixel of a colour image in CHW order from its grey: 0 is without colour, 1 the image
/// as it is.
pub fn adjust_saturation(image: &mut [f32], factor: f32) {
    for_each_pixel(image, |pixel| {
        let grey = grey(pixel);
        pixel.map(|value| blend(value, grey, factor))
    });
}

/// Turns the hue of a colour image in CHW order by a part of the colour circle: 1/3 makes red green, green blue and blue
/// red.
pub fn adjust_hue(image: &mut [f32], by: f32) {
    for_each_pixel(image, |pixel| {
        let [hue, saturation, value] = to_hsv(pixel);
        to_rgb([(hue + by).rem_euclid(1.0), saturation, value])
    });
}

fn for_each_pixel(image: &mut [f32], mut change: impl FnMut([f32; 3]) -> [f32; 3]) {
    let plane = image.len() / 3;
    let (red, rest) = image.split_at_mut(plane);
    let (green, blue) = rest.split_at_mut(plane);
    for ((red, green), blue) in red.iter_mut().zip(green).zip(blue) {
        [*red, *green, *blue] = change([*red, *green, *blue]);
    }
}

/// Brightness to the eye, by the weights of ITU-R BT.601.
fn grey([red, green, blue]: [f32; 3]) -> f32 {
    0.2989 * red + 0.587 * green + 0.114 * blue
}

fn blend(value: f32, other: f32, factor: f32) -> f32 {
    (factor * value + (1.0 - factor) * other).clamp(0.0, 1.0)
}

/// Hue, saturation and value, each from 0 to 1.
fn to_hsv([red, green, blue]: [f32; 3]) -> [f32; 3] {
    let (value, low) = (red.max(green).max(blue), red.min(green).min(blue));
    let range = value - low;
    if range == 0.0 {
        return [0.0, 0.0, value];
    }
    let below = |colour: f32| (value - colour) / range;
    let sixths = if value == red {
        below(blue) - below(green)
    } else if value == green {
        2.0 + below(red) - below(blue)
    } else {
        4.0 + below(green) - below(red)
    };
    [(sixths / 6.0).rem_euclid(1.0), range / value, value]
}

fn to_rgb([hue, saturation, value]: [f32; 3]) -> [f32; 3] {
    let sixths = hue * 6.0;
    let part = sixths - sixths.floor();
    let p = (value * (1.0 - saturation)).clamp(0.0, 1.0);
    let q = (value * (1.0 - saturation * part)).clamp(0.0, 1.0);
    let t = (value * (1.0 - saturation * (1.0 - part))).clamp(0.0, 1.0);
    match sixths as u8 % 6 {
        0 => [value, t, p],
        1 => [q, value, p],
        2 => [p, value, t],
        3 => [p, q, value],
        4 => [t, p, value],
        _ => [value, p, q],
    }
}
