//! Data as a network that classifies can learn from them.

use super::{Dataset, Draw};
use crate::error::Error;
use crate::loss::class;

/// Data whose labels are held against a network's outputs where they are read: there their places in the data are known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labelled<'d, D: ?Sized> {
    pub data: &'d D,
    /// The network's outputs.
    pub classes: usize,
}

impl<D: Dataset + ?Sized> Dataset for Labelled<'_, D> {
    fn len(&self) -> usize {
        self.data.len()
    }

    fn shape(&self) -> [usize; 3] {
        self.data.shape()
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn read(&self, draw: Draw, image: &mut [f32]) -> Result<usize, Error> {
        class(self.data.read(draw, image)? as i128, draw.index, self.classes)
    }
}
