//! Pictures cut out of larger ones.

use std::ops::RangeInclusive;
use std::path::Path;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::resize::resize;
use super::scratch;
use crate::data::{Dataset, Draw, sample_len};
use crate::error::Error;
use crate::random;

/// A rectangle of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its first row.
    pub top: usize,
    /// Its first column.
    pub left: usize,
    /// Its rows, at least 1.
    pub height: usize,
    /// Its columns, at least 1.
    pub width: usize,
}

/// Chooses the part of an image that is shown, at a size of its own.
pub trait Crop: Sync {
    /// Tells the random numbers of this choice from those of others.
    const NAME: &'static str;

    /// Height and width of what comes out.
    fn size(&self) -> [usize; 2];

    /// Whether images of height and width `from` can be cut, by settings within their ranges.
    ///
    /// # Errors
    /// If not.
    fn check(&self, from: [usize; 2]) -> Result<(), Error>;

    /// The part of an image of height and width `from`, which passes the [`check`](Crop::check). It lies inside the
    /// image.
    ///
    /// # Panics
    /// May, if `from` does not pass.
    fn window(&self, from: [usize; 2], rng: &mut ChaCha8Rng) -> Window;
}

/// A part of random area and proportions at a random place, scaled to one size (Szegedy et al. 2014; the numbers are
/// torchvision's `RandomResizedCrop`'s).
#[derive(Clone, Debug, PartialEq)]
pub struct ResizedCrop {
    size: [usize; 2],
    scale: RangeInclusive<f64>,
    ratio: RangeInclusive<f64>,
}

impl ResizedCrop {
    /// Parts of 8 to 100 % of the area, 3:4 to 4:3 in width by height, which become `height` x `width` pixels.
    pub fn new(height: usize, width: usize) -> Self {
        ResizedCrop { size: [height, width], scale: 0.08..=1.0, ratio: 3.0 / 4.0..=4.0 / 3.0 }
    }

    /// The part of the image's area: above 0, and 1 at most.
    #[must_use]
    pub fn scale(mut self, scale: RangeInclusive<f64>) -> Self {
        self.scale = scale;
        self
    }

    /// Width by height, before it is scaled.
    #[must_use]
    pub fn ratio(mut self, ratio: RangeInclusive<f64>) -> Self {
        self.ratio = ratio;
        self
    }
}

impl Crop for ResizedCrop {
    const NAME: &'static str = "resized crop";

    fn size(&self) -> [usize; 2] {
        self.size
    }

    fn check(&self, _: [usize; 2]) -> Result<(), Error> {
        let positive =
            |range: &RangeInclusive<f64>| range.start().is_normal() && *range.start() > 0.0 && !range.is_empty();
        if positive(&self.scale) && *self.scale.end() <= 1.0 && positive(&self.ratio) && self.ratio.end().is_finite() {
            return Ok(());
        }
        Err(Error::InvalidOption {
            option: "scale and ratio of a resized crop",
            expected: "ranges above 0, and a scale of up to 1",
            found: format!("{:?} and {:?}", self.scale, self.ratio),
        })
    }

    fn window(&self, [h, w]: [usize; 2], rng: &mut ChaCha8Rng) -> Window {
        let (height, width) = (h as f64, w as f64);
        let [low, high] = [*self.ratio.start(), *self.ratio.end()];
        for _attempt in 0..10 {
            let area = height * width * rng.random_range(self.scale.clone());
            let ratio = rng.random_range(low.ln()..=high.ln()).exp();
            let [rows, columns] = [area / ratio, area * ratio].map(|square| square.sqrt().round_ties_even() as usize);
            if (1..=h).contains(&rows) && (1..=w).contains(&columns) {
                return place([rows, columns], [h, w], rng);
            }
        }
        // No luck, as in very long images: as much as the proportions allow, from the middle.
        let ratio = (width / height).clamp(low, high);
        let rows = (width / ratio).min(height).round_ties_even().max(1.0);
        let columns = (height * ratio).min(width).round_ties_even().max(1.0);
        centre([rows as usize, columns as usize], [h, w])
    }
}

/// A part of fixed size at a random place, as it is: AlexNet saw 224 x 224 pixels out of 256 x 256 (Krizhevsky et al.
/// 2012).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowCrop {
    size: [usize; 2],
}

impl WindowCrop {
    /// Parts of `height` x `width` pixels.
    pub const fn new(height: usize, width: usize) -> Self {
        WindowCrop { size: [height, width] }
    }
}

impl Crop for WindowCrop {
    const NAME: &'static str = "window crop";

    fn size(&self) -> [usize; 2] {
        self.size
    }

    fn check(&self, from: [usize; 2]) -> Result<(), Error> {
        check_fits(self.size, from)
    }

    fn window(&self, from: [usize; 2], rng: &mut ChaCha8Rng) -> Window {
        place(self.size, from, rng)
    }
}

/// The middle of the image, as it is: to test a network that learned from [`WindowCrop`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CentreCrop {
    size: [usize; 2],
}

impl CentreCrop {
    /// The middle `height` x `width` pixels.
    pub const fn new(height: usize, width: usize) -> Self {
        CentreCrop { size: [height, width] }
    }
}

impl Crop for CentreCrop {
    const NAME: &'static str = "centre crop";

    fn size(&self) -> [usize; 2] {
        self.size
    }

    fn check(&self, from: [usize; 2]) -> Result<(), Error> {
        check_fits(self.size, from)
    }

    fn window(&self, from: [usize; 2], _: &mut ChaCha8Rng) -> Window {
        centre(self.size, from)
    }
}

fn check_fits(size: [usize; 2], from: [usize; 2]) -> Result<(), Error> {
    if size[0] <= from[0] && size[1] <= from[1] {
        return Ok(());
    }
    Err(Error::DataMismatch {
        what: "height and width of a crop",
        expected: format!("up to {from:?}, the images'"),
        found: format!("{size:?}"),
    })
}

fn place([height, width]: [usize; 2], [h, w]: [usize; 2], rng: &mut ChaCha8Rng) -> Window {
    Window { top: rng.random_range(0..=h - height), left: rng.random_range(0..=w - width), height, width }
}

fn centre([height, width]: [usize; 2], [h, w]: [usize; 2]) -> Window {
    Window { top: (h - height) / 2, left: (w - width) / 2, height, width }
}

/// A data set that shows parts of its images. Made by [`Dataset::cropped`].
#[derive(Clone, Debug)]
pub struct Cropped<D, C> {
    data: D,
    crop: C,
}

impl<D: Dataset, C: Crop> Cropped<D, C> {
    pub(in crate::data) fn new(data: D, crop: C) -> Result<Self, Error> {
        let [c, h, w] = data.shape();
        let [height, width] = crop.size();
        let whole = sample_len([c, height, width]).filter(|&len| len > 0);
        if whole.is_none() || h == 0 || w == 0 {
            return Err(Error::InvalidOption {
                option: "size of a crop",
                expected: "a height and a width of at least 1",
                found: format!("{height} x {width} of {h} x {w}"),
            });
        }
        crop.check([h, w])?;
        Ok(Cropped { data, crop })
    }
}

impl<D: Dataset, C: Crop> Dataset for Cropped<D, C> {
    fn len(&self) -> usize {
        self.data.len()
    }

    fn shape(&self) -> [usize; 3] {
        let [height, width] = self.crop.size();
        [self.data.shape()[0], height, width]
    }

    fn classes(&self) -> usize {
        self.data.classes()
    }

    fn class_names(&self) -> &[String] {
        self.data.class_names()
    }

    fn source(&self, index: usize) -> Option<&Path> {
        self.data.source(index)
    }

    fn read(&self, draw: Draw, image: &mut [f32]) -> Result<usize, Error> {
        let shape = self.data.shape();
        assert_eq!(
            image.len(),
            self.shape().iter().product::<usize>(),
            "the image to write is as long as the shape says"
        );
        scratch::lend(shape.iter().product(), |whole| {
            let label = self.data.read(draw, whole)?;
            let mut rng = random::stream(draw.seed, C::NAME, draw.epoch, draw.index as u64);
            let window = self.crop.window([shape[1], shape[2]], &mut rng);
            resize(whole, shape, window, image, self.crop.size());
            Ok(label)
        })
    }
}
