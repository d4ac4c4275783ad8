//! Labelled images to train and test on.
//!
//! A [`Dataset`] hands out one sample at a time, by index, into memory of the caller.
//!
//! | where the images are | how they are read | feature |
//! |---|---|---|
//! | idx files: MNIST, Fashion-MNIST | [`idx::mnist`], [`idx::images`] | `idx`, a default |
//! | binary files of CIFAR-10, CIFAR-100 | [`cifar::folder`], [`cifar100::folder`] | `idx`, a default |
//! | JPEG, PNG and WebP files in a folder per class | [`ImageFiles::from_folder`] | `images` |
//! | such files, listed in a CSV file | [`ImageFiles::from_csv`] | `csv` |
//! | arrays in memory, bytes in memory | [`Arrays::new`], [`Images::new`] | |
//! | anywhere else | your own [`Dataset`] | |
//!
//! Wrappers change what comes out: [`Dataset::cropped`], [`Dataset::augmented`] (see [`augment`] for all there is), then
//! [`Dataset::normalized`]; [`Dataset::take`] keeps the first samples, [`Dataset::spread`] some from everywhere.
//!
//! [`ReadAhead`] reads the batches of an epoch on threads of its own while the network learns from earlier ones. It also
//! says what becomes of files that cannot be read: an error that names the file, or they are left out and counted.
//!
//! ```
//! use cnn_runtime::data::{Dataset, HorizontalFlip, Images, Normalize, RandomCrop};
//!
//! let shape = [1, 2, 2];
//! let images = Images::new(shape, vec![0, 255, 51, 0, 0, 0, 255, 255], vec![0, 1], 10)?;
//! let normalize = Normalize::of(&images)?;
//! let train = images.augmented(RandomCrop::new(1)).augmented(HorizontalFlip).normalized(normalize)?;
//! assert_eq!((train.len(), train.shape(), train.classes()), (2, shape, 10));
//! # Ok::<(), cnn_runtime::Error>(())
//! ```

pub mod ahead;
mod arrays;
pub mod augment;
mod batch;
#[cfg(feature = "idx")]
pub mod cifar;
#[cfg(feature = "idx")]
pub mod cifar100;
#[cfg(feature = "idx")]
mod file;
#[cfg(feature = "idx")]
pub mod idx;
mod images;
mod normalize;
#[cfg(feature = "images")]
pub mod pictures;
mod statistics;

use crate::error::Error;
use crate::info::NetInfo;

pub use ahead::{Batch, Batches, OnBadSample, Plan, ReadAhead, Skipped};
pub use arrays::Arrays;
pub use augment::{
    Augment, Augmented, CentreCrop, ColourJitter, Crop, Cropped, Cutout, HorizontalFlip, PcaLighting, RandomCrop,
    RandomShift, ResizedCrop, Rotation, Shift, WindowCrop,
};
pub(crate) use batch::fill_batch;
pub use images::Images;
pub use normalize::{Normalize, Normalized};
#[cfg(feature = "csv")]
pub use pictures::Header;
#[cfg(feature = "images")]
pub use pictures::ImageFiles;

/// Labelled images, addressed by index.
pub trait Dataset: Sync {
    /// Number of samples.
    fn len(&self) -> usize;

    /// Channels, height and width of a sample.
    fn shape(&self) -> [usize; 3];

    /// Number of classes; labels are below it.
    fn classes(&self) -> usize;

    /// The names of the classes, which labels are indices into; none where they have no names.
    fn class_names(&self) -> &[String] {
        &[]
    }

    /// Writes the sample at `draw.index`, in CHW order, over all of `image` and returns its label. The same draw gives
    /// the same sample, whichever thread asks and whatever was asked before.
    ///
    /// # Errors
    /// If the sample cannot be read.
    ///
    /// # Panics
    /// If `draw.index` is not below [`len`](Dataset::len) or `image` is not as long as [`shape`](Dataset::shape) says.
    fn read(&self, draw: Draw, image: &mut [f32]) -> Result<usize, Error>;

    /// Whether there is no sample.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// These images as `augment` changes them.
    fn augmented<A: Augment>(self, augment: A) -> Augmented<Self, A>
    where
        Self: Sized,
    {
        Augmented::new(self, augment)
    }

    /// The parts of these images that `crop` chooses, at its size.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] or [`Error::DataMismatch`] if the images cannot be cut so.
    fn cropped<C: Crop>(self, crop: C) -> Result<Cropped<Self, C>, Error>
    where
        Self: Sized,
    {
        Cropped::new(self, crop)
    }

    /// These images with every channel shifted and scaled.
    ///
    /// # Errors
    /// [`Error::DataMismatch`] if `normalize` is for another number of channels.
    fn normalized(self, normalize: Normalize) -> Result<Normalized<Self>, Error>
    where
        Self: Sized,
    {
        Normalized::new(self, normalize)
    }

    /// The first `count` samples, or all if there are fewer.
    fn take(self, count: usize) -> Subset<Self>
    where
        Self: Sized,
    {
        let count = count.min(self.len());
        Subset { span: count, count, data: self }
    }

    /// `count` samples at equal distances, or all if there are fewer: of every class some, also where samples are
    /// sorted by class, as in folders of pictures.
    fn spread(self, count: usize) -> Subset<Self>
    where
        Self: Sized,
    {
        Subset { span: self.len(), count: count.min(self.len()), data: self }
    }
}

/// What is asked of a [`Dataset`]: a sample, and what its random changes depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Which sample.
    pub index: usize,
    /// The epoch: augmentations change a sample differently in each.
    pub epoch: u64,
    /// The seed of the run.
    pub seed: u64,
}

impl Draw {
    /// The sample `index` in epoch 0 of seed 0.
    pub const fn of(index: usize) -> Self {
        Draw { index, epoch: 0, seed: 0 }
    }
}

impl<D: Dataset + ?Sized> Dataset for &D {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn shape(&self) -> [usize; 3] {
        (**self).shape()
    }

    fn classes(&self) -> usize {
        (**self).classes()
    }

    fn class_names(&self) -> &[String] {
        (**self).class_names()
    }

    fn read(&self, draw: Draw, image: &mut [f32]) -> Result<usize, Error> {
        (**self).read(draw, image)
    }
}

impl<D: Dataset + Send + ?Sized> Dataset for Box<D> {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn shape(&self) -> [usize; 3] {
        (**self).shape()
    }

    fn classes(&self) -> usize {
        (**self).classes()
    }

    fn class_names(&self) -> &[String] {
        (**self).class_names()
    }

    fn read(&self, draw: Draw, image: &mut [f32]) -> Result<usize, Error> {
        (**self).read(draw, image)
    }
}

/// The two parts in which most data sets come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// To learn from.
    Train,
    /// To measure what was learned.
    Test,
}

impl Split {
    #[cfg(feature = "idx")]
    fn pick<T>(self, train: T, test: T) -> T {
        match self {
            Split::Train => train,
            Split::Test => test,
        }
    }
}

/// Some samples of a data set. Made by [`Dataset::take`] and [`Dataset::spread`].
#[derive(Clone, Debug)]
pub struct Subset<D> {
    data: D,
    count: usize,
    /// Samples, from the first on, over which those of the subset are spread at equal distances.
    span: usize,
}

impl<D: Dataset> Dataset for Subset<D> {
    fn len(&self) -> usize {
        self.count
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
        assert!(draw.index < self.count, "sample {} of {}", draw.index, self.count);
        // In 128 bits, where no product of two lengths overflows.
        let index = draw.index as u128 * self.span as u128 / self.count as u128;
        self.data.read(Draw { index: index as usize, ..draw }, image)
    }
}

/// Holds a data set against the input of the network it is for.
pub(crate) fn check_input(data: &(impl Dataset + ?Sized), network: &NetInfo) -> Result<(), Error> {
    if data.shape() != network.input {
        return Err(Error::DataMismatch {
            what: "shape of the data's samples",
            expected: format!("{:?}, the input of {}", network.input, network.name),
            found: format!("{:?}", data.shape()),
        });
    }
    if data.is_empty() {
        return Err(Error::DataMismatch {
            what: "samples in the data",
            expected: "at least one".into(),
            found: "0".into(),
        });
    }
    Ok(())
}

/// The shape of a sample in floats, if that many can be addressed at all.
fn sample_len(shape: [usize; 3]) -> Option<usize> {
    shape.iter().try_fold(1usize, |len, &side| len.checked_mul(side))
}

/// Holds the number of images against the number of labels, and the labels against the number of classes.
fn check_labels(images: usize, labels: &[usize], classes: usize) -> Result<(), Error> {
    if labels.len() != images {
        return Err(Error::DataMismatch {
            what: "number of labels",
            expected: format!("{images}, one per image"),
            found: labels.len().to_string(),
        });
    }
    match labels.iter().position(|&label| label >= classes) {
        Some(index) => Err(Error::LabelOutOfRange { index, label: labels[index] as i128, classes }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_picks_at_equal_distances() {
        let images = Images::new([1, 1, 1], vec![0; 7], vec![0, 0, 1, 1, 1, 2, 2], 3).unwrap();
        let labels = |count| {
            let some = (&images).spread(count);
            (0..some.len()).map(|at| some.read(Draw::of(at), &mut [0.0]).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(labels(3), [0, 1, 1]);
        assert_eq!(labels(4), [0, 0, 1, 2]);
        assert_eq!(labels(9), images.labels());
    }

    #[test]
    fn take_keeps_the_first() {
        let images = Images::new([1, 1, 1], vec![0, 51, 102], vec![2, 1, 0], 3).unwrap();
        let two = (&images).take(2);
        assert_eq!((two.len(), images.take(9).len()), (2, 3));
        let boxed: Box<dyn Dataset + Send> = Box::new(Images::new([1, 1, 1], vec![51], vec![1], 3).unwrap());
        let mut pixel = [0.0];
        assert_eq!(boxed.read(Draw::of(0), &mut pixel).unwrap(), 1);
        assert_eq!(pixel, [0.2]);
    }
}
