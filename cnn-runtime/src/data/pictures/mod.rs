//! Pictures from JPEG, PNG and WebP files: one alone, folders of them, or a table that lists them.

#[cfg(feature = "csv")]
mod csv;
mod decode;
mod folder;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use ndarray::Array3;
use rayon::prelude::*;

use super::ahead::none_good;
use super::{Dataset, Draw, Images, Skipped};
use crate::error::Error;

#[cfg(feature = "csv")]
pub use csv::Header;

/// Labelled picture files, decoded as they are read: a set may be larger than memory. Pictures are scaled to cover the
/// shape asked for and cut at its centre, and read as values from 0 to 1. Transparent ones are laid on white, and where
/// one channel is asked for, colours become grey as in PIL's mode `L`. JPEGs stand upright: they are turned as the camera
/// says in them (EXIF), as by PIL's `ImageOps.exif_transpose`, which torchvision does not call.
///
/// A file that is missing, cut short or not a picture is an error that names it, when it is read; whether that ends a
/// training is for [`ReadAhead`](super::ReadAhead) to say. For sets that fit in memory, [`ImageFiles::load`] decodes all
/// of it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFiles {
    shape: [usize; 3],
    classes: Vec<String>,
    files: Vec<(PathBuf, usize)>,
}

impl ImageFiles {
    /// The picture files with their labels, in the order of the samples.
    pub fn files(&self) -> &[(PathBuf, usize)] {
        &self.files
    }

    /// The same files with labels that are indices into `names`: those of another part of the data, in which a class may
    /// occur that is missing here.
    ///
    /// # Errors
    /// [`Error::DataMismatch`] naming a class that is not among `names`.
    pub fn with_classes(self, names: &[String]) -> Result<Self, Error> {
        let label = |class: &String| {
            names.iter().position(|name| name == class).ok_or_else(|| Error::DataMismatch {
                what: "class of the pictures",
                expected: format!("one of {}", names.join(", ")),
                found: class.clone(),
            })
        };
        let labels = self.classes.iter().map(label).collect::<Result<Vec<_>, _>>()?;
        let files = self.files.into_iter().map(|(path, class)| (path, labels[class])).collect();
        Ok(ImageFiles { shape: self.shape, classes: names.to_vec(), files })
    }

    /// Decodes all pictures, on all threads, into memory.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] naming the first file that cannot be read.
    pub fn load(&self) -> Result<Images, Error> {
        let (images, skipped) = self.decode_all()?;
        match skipped.into_iter().next() {
            Some(first) => Err(first.error),
            None => Ok(images),
        }
    }

    /// Decodes all pictures that can be read into memory; says which cannot, and why.
    ///
    /// # Errors
    /// [`Error::DataMismatch`] if not one can be read.
    pub fn load_good(&self) -> Result<(Images, Vec<Skipped>), Error> {
        let (images, skipped) = self.decode_all()?;
        if images.is_empty() { Err(none_good(&skipped)) } else { Ok((images, skipped)) }
    }

    /// The pictures that can be read, and what is wrong with the others.
    fn decode_all(&self) -> Result<(Images, Vec<Skipped>), Error> {
        let len = self.shape.iter().product::<usize>();
        let mut pixels = vec![0; self.files.len() * len];
        let decode = |(index, (image, (path, _))): (usize, (&mut [u8], &(PathBuf, usize)))| {
            decode::planes(path, self.shape, image, |byte| byte).err().map(|error| Skipped { index, error })
        };
        let skipped: Vec<_> =
            pixels.par_chunks_exact_mut(len).zip(&self.files).enumerate().filter_map(decode).collect();
        let (mut bad, mut good) = (skipped.iter().map(|skipped| skipped.index).peekable(), Vec::new());
        for (index, file) in self.files.iter().enumerate() {
            if bad.next_if_eq(&index).is_none() {
                pixels.copy_within(index * len..(index + 1) * len, good.len() * len);
                good.push(file.clone());
            }
        }
        let (sources, labels): (Vec<_>, Vec<_>) = good.into_iter().unzip();
        pixels.truncate(labels.len() * len);
        let images = Images::new(self.shape, pixels, labels, self.classes.len())?;
        Ok((images.with_sources(sources).with_class_names(self.classes.clone())?, skipped))
    }
}

impl Dataset for ImageFiles {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn shape(&self) -> [usize; 3] {
        self.shape
    }

    fn classes(&self) -> usize {
        self.classes.len()
    }

    fn class_names(&self) -> &[String] {
        &self.classes
    }

    fn source(&self, index: usize) -> Option<&Path> {
        Some(&self.files[index].0)
    }

    fn read(&self, draw: Draw, image: &mut [f32]) -> Result<usize, Error> {
        let (path, label) = &self.files[draw.index];
        decode::planes(path, self.shape, image, from_0_to_1)?;
        Ok(*label)
    }
}

/// Reads one picture as [`ImageFiles`] reads each of its own: scaled to cover `shape` (1 or 3 channels, height, width),
/// cut at its centre, as values from 0 to 1.
///
/// # Errors
/// [`Error::InvalidOption`] for another number of channels or a side of 0 or above 65,535, [`Error::Io`] if the file
/// cannot be read, [`Error::Format`] if it is not a picture.
pub fn picture(path: impl AsRef<Path>, shape: [usize; 3]) -> Result<Array3<f32>, Error> {
    check_shape(shape)?;
    let mut picture = Array3::zeros(shape);
    let values = picture.as_slice_mut().expect("a new array is contiguous");
    decode::planes(path.as_ref(), shape, values, from_0_to_1)?;
    Ok(picture)
}

/// Reads a picture as [`picture`] does, out of the bytes of a file.
///
/// # Errors
/// As [`picture`].
pub fn picture_from_bytes(bytes: &[u8], shape: [usize; 3]) -> Result<Array3<f32>, Error> {
    check_shape(shape)?;
    let mut picture = Array3::zeros(shape);
    let values = picture.as_slice_mut().expect("a new array is contiguous");
    decode::planes_of(bytes, shape, values, from_0_to_1).map_err(|reason| Error::Format { path: None, reason })?;
    Ok(picture)
}

fn from_0_to_1(byte: u8) -> f32 {
    f32::from(byte) / 255.0
}

fn check_shape(shape: [usize; 3]) -> Result<(), Error> {
    let sides = 1..=usize::from(u16::MAX);
    if matches!(shape[0], 1 | 3) && sides.contains(&shape[1]) && sides.contains(&shape[2]) {
        return Ok(());
    }
    Err(Error::InvalidOption {
        option: "shape of the images",
        expected: "[1 or 3, height, width] with sides from 1 to 65535",
        found: format!("{shape:?}"),
    })
}
