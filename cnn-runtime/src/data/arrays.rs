//! Arrays of floats as a data set.

use ndarray::{Array4, ArrayViewMut3, Axis};

use super::{Dataset, Draw, check_labels};
use crate::error::Error;

/// Images from an array `[samples, channels, height, width]` in memory, read as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrays {
    images: Array4<f32>,
    labels: Vec<usize>,
    classes: usize,
}

impl Arrays {
    /// Images and a label for each.
    ///
    /// # Errors
    /// [`Error::DataMismatch`] unless there is a label per image, [`Error::LabelOutOfRange`] for a label that is not
    /// below `classes`.
    pub fn new(images: Array4<f32>, labels: Vec<usize>, classes: usize) -> Result<Self, Error> {
        check_labels(images.len_of(Axis(0)), &labels, classes)?;
        Ok(Arrays { images, labels, classes })
    }

    /// All images.
    pub fn images(&self) -> &Array4<f32> {
        &self.images
    }

    /// All labels.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }
}

impl Dataset for Arrays {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn shape(&self) -> [usize; 3] {
        let (_, c, h, w) = self.images.dim();
        [c, h, w]
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn read(&self, draw: Draw, image: &mut [f32]) -> Result<usize, Error> {
        ArrayViewMut3::from_shape(self.shape(), image)
            .expect("the image to write is as long as the shape says")
            .assign(&self.images.index_axis(Axis(0), draw.index));
        Ok(self.labels[draw.index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_arrays_of_any_strides() {
        let reversed = Array4::from_shape_fn((2, 1, 2, 3), |(n, _, h, w)| (n * 6 + h * 3 + w) as f32).reversed_axes();
        let arrays = Arrays::new(reversed, vec![0, 1, 1], 2).unwrap();
        assert_eq!(arrays.shape(), [2, 1, 2]);
        let mut image = [0.0; 4];
        assert_eq!(arrays.read(Draw::of(2), &mut image).unwrap(), 1);
        assert_eq!(image, [2.0, 8.0, 5.0, 11.0]);
    }

    #[test]
    fn refuses_labels_that_do_not_fit() {
        let message = |labels| Arrays::new(Array4::zeros((2, 1, 1, 1)), labels, 2).unwrap_err().to_string();
        assert_eq!(message(vec![0]), "number of labels: expected 2, one per image, found 1");
        assert_eq!(message(vec![0, 2]), "label 2 of sample 1 is out of range: expected 0 to 1");
    }
}
