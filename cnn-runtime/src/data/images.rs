//! Byte images in memory.

use std::path::{Path, PathBuf};

use super::{Dataset, Draw, check_labels, sample_len};
use crate::error::Error;

/// Images of one byte per channel and pixel, in memory: a quarter of what floats take. Read as values from 0 to 1. Equal if
/// images and classes are, whatever files they were read from.
#[derive(Clone, Debug)]
pub struct Images {
    shape: [usize; 3],
    pixels: Vec<u8>,
    labels: Vec<usize>,
    classes: usize,
    /// One per class, or none.
    class_names: Vec<String>,
    /// One per image, or none.
    sources: Vec<PathBuf>,
}

impl PartialEq for Images {
    fn eq(&self, other: &Self) -> bool {
        let Images { shape, pixels, labels, classes, class_names, sources: _ } = self;
        (shape, pixels, labels, classes, class_names)
            == (&other.shape, &other.pixels, &other.labels, &other.classes, &other.class_names)
    }
}

impl Eq for Images {}

impl Images {
    /// Images of `shape` (channels, height, width), one after the other in CHW order, and a label for each.
    ///
    /// # Errors
    /// [`Error::DataMismatch`] if the bytes are not a whole number of images or not as many as labels,
    /// [`Error::LabelOutOfRange`] for a label that is not below `classes`.
    pub fn new(shape: [usize; 3], pixels: Vec<u8>, labels: Vec<usize>, classes: usize) -> Result<Self, Error> {
        let whole = sample_len(shape).filter(|&len| len > 0 && pixels.len().is_multiple_of(len));
        let Some(len) = whole else {
            return Err(Error::DataMismatch {
                what: "bytes of images",
                expected: format!("a multiple of {} x {} x {}", shape[0], shape[1], shape[2]),
                found: pixels.len().to_string(),
            });
        };
        check_labels(pixels.len() / len, &labels, classes)?;
        Ok(Images { shape, pixels, labels, classes, class_names: Vec::new(), sources: Vec::new() })
    }

    /// The same images with names for the classes.
    ///
    /// # Errors
    /// [`Error::DataMismatch`] unless there is a name per class.
    pub fn with_class_names(self, class_names: Vec<String>) -> Result<Self, Error> {
        if class_names.len() != self.classes {
            return Err(Error::DataMismatch {
                what: "names of classes",
                expected: self.classes.to_string(),
                found: class_names.len().to_string(),
            });
        }
        Ok(Images { class_names, ..self })
    }

    /// The same images with the file that each was read from.
    #[cfg(feature = "images")]
    pub(super) fn with_sources(self, sources: Vec<PathBuf>) -> Self {
        debug_assert_eq!(sources.len(), self.labels.len());
        Images { sources, ..self }
    }

    /// The bytes of one image, in CHW order.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Dataset::len).
    pub fn pixels(&self, index: usize) -> &[u8] {
        let len = self.shape.iter().product::<usize>();
        &self.pixels[index * len..][..len]
    }

    /// All labels.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }
}

impl Dataset for Images {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn shape(&self) -> [usize; 3] {
        self.shape
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn source(&self, index: usize) -> Option<&Path> {
        self.sources.get(index).map(PathBuf::as_path)
    }

    fn read(&self, draw: Draw, image: &mut [f32]) -> Result<usize, Error> {
        let pixels = self.pixels(draw.index);
        assert_eq!(image.len(), pixels.len(), "the image to write is as long as the shape says");
        for (value, &pixel) in image.iter_mut().zip(pixels) {
            *value = f32::from(pixel) / 255.0;
        }
        Ok(self.labels[draw.index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_pixels_from_0_to_1() {
        let images = Images::new([2, 1, 2], vec![0, 255, 51, 102, 1, 2, 3, 4], vec![3, 0], 4).unwrap();
        let mut image = [f32::NAN; 4];
        assert_eq!(images.read(Draw::of(0), &mut image).unwrap(), 3);
        assert_eq!(image, [0.0, 1.0, 0.2, 0.4]);
        assert_eq!(images.pixels(1), [1, 2, 3, 4]);
    }

    #[test]
    fn there_is_a_name_for_each_class_or_none() {
        let images = Images::new([1, 1, 1], vec![0], vec![1], 2).unwrap();
        assert!(images.class_names().is_empty());
        let error = images.clone().with_class_names(vec!["cat".into()]).unwrap_err();
        assert_eq!(error.to_string(), "names of classes: expected 2, found 1");
        let named = images.with_class_names(vec!["cat".into(), "dog".into()]).unwrap();
        assert_eq!(named.take(1).class_names(), ["cat", "dog"]);
    }

    #[test]
    fn refuses_what_does_not_fit_together() {
        let message = |pixels, labels| Images::new([1, 2, 2], pixels, labels, 3).unwrap_err().to_string();
        assert_eq!(message(vec![0; 7], vec![0]), "bytes of images: expected a multiple of 1 x 2 x 2, found 7");
        assert_eq!(message(vec![0; 8], vec![0]), "number of labels: expected 2, one per image, found 1");
        assert_eq!(message(vec![0; 8], vec![0, 3]), "label 3 of sample 1 is out of range: expected 0 to 2");
        assert!(Images::new([usize::MAX, 2, 2], vec![], vec![], 3).is_err());
        assert!(Images::new([0, 2, 2], vec![], vec![], 3).is_err());
    }
}
