//! Data as a network can learn from them, and networks that can.

use crate::data::{Dataset, Draw, check_input};
use crate::error::Error;
use crate::info::NetInfo;
use crate::loss::class;

/// Data whose labels are held against a network's outputs where they are read: there their places in the data are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Labelled<'d, D: ?Sized> {
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

/// Refuses a network that ends in more than one place with scores: such are trained by a loop of one's own.
pub(super) fn check_output(network: &NetInfo) -> Result<(), Error> {
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

/// Holds data against the input and the outputs of the network they are for. `what` is what their classes are called.
/// There may be fewer than outputs.
pub(super) fn check_data(what: &'static str, data: &(impl Dataset + ?Sized), network: &NetInfo) -> Result<(), Error> {
    check_input(data, network)?;
    let (outputs, classes) = (network.train.output.len, data.classes());
    if classes > outputs {
        let expected = format!("at most {outputs}, the outputs of {}", network.name);
        return Err(Error::DataMismatch { what, expected, found: classes.to_string() });
    }
    Ok(())
}
