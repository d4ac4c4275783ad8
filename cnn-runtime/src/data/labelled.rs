//! Data as a network that classifies can learn from them.

use std::path::Path;

use super::{Dataset, Draw, check_input, check_output};
use crate::error::Error;
use crate::info::NetInfo;
use crate::loss::class;

/// Data whose labels are held against a network's outputs where they are read: there their places in the data are known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labelled<'d, D: ?Sized> {
    pub data: &'d D,
    /// The network's outputs.
    pub classes: usize,
}

impl<'d, D: Dataset + ?Sized> Labelled<'d, D> {
    /// The data, for a network that is to say of each sample which class it is.
    ///
    /// # Errors
    /// [`Error::DataMismatch`] if the network ends in a map larger than 1x1, or if the data are not of its input shape or
    /// there are none.
    pub(crate) fn of(data: &'d D, network: &NetInfo) -> Result<Self, Error> {
        check_output(network)?;
        check_input(data, network)?;
        Ok(Labelled { data, classes: network.infer.output.len })
    }
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

    fn source(&self, index: usize) -> Option<&Path> {
        self.data.source(index)
    }

    fn read(&self, draw: Draw, image: &mut [f32]) -> Result<usize, Error> {
        class(self.data.read(draw, image)? as i128, draw.index, self.classes)
    }
}
