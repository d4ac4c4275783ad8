//! Random changes that leave a picture's meaning alone, so that a network learns what matters.
//!
//! Every change depends on the seed of the run, the epoch and the sample's index, and on nothing else: a run is
//! repeatable on any number of threads. New pixels are 0, so augment before normalising, while 0 is black.
//!
//! | moved | [`RandomCrop`], [`RandomShift`], [`Shift`], [`HorizontalFlip`], [`Rotation`] |
//! |---|---|
//! | cut out of a larger picture | [`ResizedCrop`], [`WindowCrop`], [`CentreCrop`], by [`Dataset::cropped`] |
//! | coloured | [`ColourJitter`], [`PcaLighting`] |
//! | hidden in part | [`Cutout`] |

pub mod colour;
mod crop;
mod cutout;
mod lighting;
mod resize;
mod rotation;
mod scratch;
mod shift;
#[cfg(test)]
mod tests;

use std::path::Path;

use rand::RngExt;

use super::{Dataset, Draw};
use crate::error::Error;
use crate::random;

#[doc(no_inline)]
pub use rand_chacha::ChaCha8Rng;

pub use colour::ColourJitter;
pub use crop::{CentreCrop, Crop, Cropped, ResizedCrop, Window, WindowCrop};
pub use cutout::Cutout;
pub use lighting::PcaLighting;
pub use rotation::{Rotation, rotate};
pub use shift::{RandomCrop, RandomShift, Shift, shift};

/// A change of an image in place, at random or not. [The guide](crate::guide::ch12_from_here#of-your-own) has one of
/// one's own; [`rand`] has what it draws by.
pub trait Augment: Sync {
    /// Tells the random numbers of this change from those of others: two changes of one name in one chain draw the same.
    const NAME: &'static str;

    /// Whether images of `shape` (channels, height, width) can be changed, by settings within their ranges. Asked before
    /// every change.
    ///
    /// # Errors
    /// If not.
    fn check(&self, shape: [usize; 3]) -> Result<(), Error> {
        let _ = shape;
        Ok(())
    }

    /// Changes `image`, which has `shape` (channels, height, width) and stands in CHW order.
    fn apply(&self, image: &mut [f32], shape: [usize; 3], rng: &mut ChaCha8Rng);
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

    fn source(&self, index: usize) -> Option<&Path> {
        self.data.source(index)
    }

    fn read(&self, draw: Draw, image: &mut [f32]) -> Result<usize, Error> {
        self.augment.check(self.shape())?;
        let label = self.data.read(draw, image)?;
        let mut rng = random::stream(draw.seed, A::NAME, draw.epoch, draw.index as u64);
        self.augment.apply(image, self.shape(), &mut rng);
        Ok(label)
    }
}

/// Changes of colour need colours.
fn check_colours(shape: [usize; 3]) -> Result<(), Error> {
    if shape[0] == 3 {
        return Ok(());
    }
    Err(Error::DataMismatch {
        what: "channels of the images whose colour is changed",
        expected: "3: red, green and blue".into(),
        found: shape[0].to_string(),
    })
}
