//! What is asked of data and networks before the first step.

use crate::data::{Dataset, check_input};
use crate::error::Error;
use crate::info::NetInfo;

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
