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
//! [`Dataset::normalized`]; [`Dataset::take`] keeps the first samples, [`Dataset::spread`] some from everywhere,
//! [`Dataset::readable`] those that can be read, and [`Dataset::hold_out`] sets some apart to test on.
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
#[cfg(feature = "idx")]
pub mod cifar;
#[cfg(feature = "idx")]
pub mod cifar100;
#[cfg(feature = "idx")]
mod file;
#[cfg(feature = "idx")]
pub mod idx;
mod images;
mod labelled;
mod normalize;
#[cfg(feature = "images")]
pub mod pictures;
mod statistics;
mod subset;

use std::path::Path;
use std::sync::Arc;

use ndarray::Array3;

use crate::desc::{Act, LayerOp, Softmax};
use crate::error::Error;
use crate::info::{LayerInfo, NetInfo};

pub use ahead::{Batch, Batches, OnBadSample, Plan, ReadAhead, Skipped};
pub use arrays::Arrays;
pub use augment::{
    Augment, Augmented, CentreCrop, ColourJitter, Crop, Cropped, Cutout, HorizontalFlip, PcaLighting, RandomCrop,
    RandomShift, ResizedCrop, Rotation, Shift, WindowCrop,
};
pub use images::Images;
pub(crate) use labelled::Labelled;
pub use normalize::{Normalize, Normalized};
#[cfg(feature = "csv")]
pub use pictures::Header;
#[cfg(feature = "images")]
pub use pictures::ImageFiles;
pub use subset::Subset;

/// Labelled images, addressed by index. [The guide](crate::guide::ch12_from_here#of-your-own) has one of one's own.
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

    /// The file that the sample `index` was read from; none where there is no such file.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Dataset::len), where samples have files.
    fn source(&self, index: usize) -> Option<&Path> {
        let _ = index;
        None
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

    /// The sample `index`, as in epoch 0 of seed 0, and its label.
    ///
    /// # Errors
    /// If the sample cannot be read.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Dataset::len).
    fn sample(&self, index: usize) -> Result<(Array3<f32>, usize), Error> {
        let mut image = Array3::zeros(self.shape());
        let label = self.read(Draw::of(index), image.as_slice_mut().expect("a new array is contiguous"))?;
        Ok((image, label))
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
        Subset::first(self, count)
    }

    /// `count` samples from everywhere, or all if there are fewer: one of each of as many equal stretches, at a place in
    /// it that is drawn, always the same. So a class of which several are to be expected among them is hardly ever
    /// missing, whether samples are sorted by class, as in folders of pictures, or classes take turns.
    fn spread(self, count: usize) -> Subset<Self>
    where
        Self: Sized,
    {
        Subset::spread(self, count)
    }

    /// The samples that can be read, and what is wrong with each other one. Reads all of them once: what takes these
    /// later does not fail over a broken file. Where training alone has to cope with such files,
    /// [`ReadAhead::on_bad_sample`] leaves them out as it meets them.
    ///
    /// # Errors
    /// [`Error::DataMismatch`] if not one can be read, and what is wrong with the data as a whole.
    fn readable(self) -> Result<(Subset<Self>, Vec<Skipped>), Error>
    where
        Self: Sized,
    {
        Subset::readable(self)
    }

    /// Sets one of each `every` samples apart, at a place among them that is drawn: those to train on, and those to test
    /// on. Which these are depends on their number alone. A class that has many times `every` samples is hardly ever
    /// missing on either side, whether samples are sorted by class or classes take turns. By reference, unless the data
    /// can be cloned.
    ///
    /// ```
    /// use cnn_runtime::data::{Dataset, Images};
    ///
    /// let images = Images::new([1, 1, 1], vec![0; 50], (0..50).map(|at| at % 2).collect(), 2)?;
    /// let (train, test) = (&images).hold_out(5)?;
    /// assert_eq!((train.len(), test.len()), (40, 10));
    /// # Ok::<(), cnn_runtime::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if `every` is below two, [`Error::DataMismatch`] if there are fewer samples than that.
    fn hold_out(self, every: usize) -> Result<(Subset<Self>, Subset<Self>), Error>
    where
        Self: Sized + Clone,
    {
        Subset::hold_out(self, every)
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

/// What stands behind a pointer is a data set, and so is the pointer.
macro_rules! data_set_behind {
    ($pointer:ty $(, $needs:ident)?) => {
        impl<D: Dataset $(+ $needs)? + ?Sized> Dataset for $pointer {
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

            fn source(&self, index: usize) -> Option<&Path> {
                (**self).source(index)
            }

            fn read(&self, draw: Draw, image: &mut [f32]) -> Result<usize, Error> {
                (**self).read(draw, image)
            }

            fn is_empty(&self) -> bool {
                (**self).is_empty()
            }
        }
    };
}

data_set_behind!(&D);
data_set_behind!(Box<D>);
// To be shared among threads, it may be dropped by another than it was made on.
data_set_behind!(Arc<D>, Send);

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

/// Refuses a network that ends in more than one place with scores: it does not say of a sample which class
/// it is.
pub(crate) fn check_output(network: &NetInfo) -> Result<(), Error> {
    if let &[c, h, w] = network.output
        && h * w > 1
    {
        return Err(Error::DataMismatch {
            what: "output of the network",
            expected: "a score for each class".into(),
            found: format!("the {c}x{h}x{w} of {}", network.name),
        });
    }
    Ok(())
}

/// The layer that makes a network's numbers; what only reshapes may stand behind it.
fn last_layer(network: &NetInfo) -> Option<&'static LayerInfo> {
    let mut layer = network.layers.last()?;
    while let LayerOp::Reshape | LayerOp::Dropout(_) = layer.op {
        layer = network.layers.get(layer.inputs[0])?;
    }
    Some(layer)
}

/// The softmax that a network ends in.
pub(crate) fn last_softmax(network: &NetInfo) -> Option<&'static LayerInfo> {
    last_layer(network).filter(|layer| matches!(layer.op, LayerOp::Softmax(Softmax { log: false, .. })))
}

/// Refuses a network that ends in probabilities, to be trained by a loss that makes them itself.
pub(crate) fn check_scores(network: &NetInfo) -> Result<(), Error> {
    let Some(layer) = last_layer(network) else { return Ok(()) };
    let more = match layer.op {
        LayerOp::Softmax(Softmax { log: false, .. }) => "",
        LayerOp::Act(Act::Sigmoid | Act::HardSigmoid { .. }) => {
            "; where classes do not exclude each other, the loss is `BinaryCrossEntropy`, in a loop of your own"
        }
        _ => return Ok(()),
    };
    Err(Error::DataMismatch {
        what: "output of the network",
        expected: "scores, of which the loss makes probabilities itself".into(),
        found: format!("the probabilities of `{}`: train {} without it{more}", layer.name, network.name),
    })
}

/// Holds data against the input and the outputs of the network they are for. `what` is what their classes are called.
/// There may be fewer than outputs.
pub(crate) fn check_data(what: &'static str, data: &(impl Dataset + ?Sized), network: &NetInfo) -> Result<(), Error> {
    check_input(data, network)?;
    let (outputs, classes) = (network.train.output.len, data.classes());
    if classes > outputs {
        let expected = format!("at most {outputs}, the outputs of {}", network.name);
        return Err(Error::DataMismatch { what, expected, found: classes.to_string() });
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
    fn a_pointer_to_a_data_set_is_one() {
        fn read(data: impl Dataset) {
            let mut pixel = [0.0];
            assert_eq!(data.read(Draw::of(0), &mut pixel).unwrap(), 1);
            assert_eq!((pixel, data.is_empty()), ([0.2], false));
            assert_eq!(data.sample(0).unwrap(), (Array3::from_elem((1, 1, 1), 0.2), 1));
        }
        let images = || Images::new([1, 1, 1], vec![51], vec![1], 3).unwrap();
        read(&images() as &dyn Dataset);
        read(Box::new(images()) as Box<dyn Dataset>);
        read(Arc::new(images()) as Arc<dyn Dataset + Send>);
    }

    #[test]
    fn statistics_take_data_behind_a_pointer() {
        let images = Images::new([3, 1, 2], vec![0, 51, 102, 153, 204, 255], vec![0], 1).unwrap();
        let data: &dyn Dataset = &images;
        assert_eq!(Normalize::of(data).unwrap(), Normalize::of(&images).unwrap());
        assert_eq!(Normalize::of(&data.readable().unwrap().0).unwrap(), Normalize::of(&images).unwrap());
        assert_eq!(PcaLighting::of(data).unwrap(), PcaLighting::of(&images).unwrap());
    }
}
