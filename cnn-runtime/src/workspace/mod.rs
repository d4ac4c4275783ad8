//! The memory passes run in: made once, then used again and again without an allocation.

mod infer;
mod train;

use ndarray::{ArrayView2, ArrayView4, ArrayViewMut4};

pub use self::infer::Workspace;
pub(crate) use self::infer::run_infer;
pub use self::train::TrainWorkspace;
use crate::error::Error;
use crate::info::{ArenaPlan, NetInfo};

/// Holds a batch against the network's input and the workspace's capacity; returns its size.
pub(crate) fn check(info: &'static NetInfo, capacity: usize, batch: &ArrayView4<'_, f32>) -> Result<usize, Error> {
    let (n, c, h, w) = batch.dim();
    if [c, h, w] != info.input {
        return Err(Error::InputShape { network: info.name, expected: info.input, found: [n, c, h, w] });
    }
    if n == 0 {
        return Err(Error::EmptyBatch { network: info.name });
    }
    if n > capacity {
        return Err(Error::BatchTooLarge { network: info.name, capacity, found: n });
    }
    Ok(n)
}

/// Copies a batch of any strides into NCHW order.
fn copy_batch(batch: ArrayView4<'_, f32>, samples: &mut [f32]) {
    match batch.as_slice() {
        Some(values) => samples.copy_from_slice(values),
        None => {
            ArrayViewMut4::from_shape(batch.dim(), samples).expect("the slot is as long as the batch").assign(&batch)
        }
    }
}

fn rows<'a>(plan: &ArenaPlan, n: usize, values: &'a [f32]) -> ArrayView2<'a, f32> {
    ArrayView2::from_shape((n, plan.output.len), values).expect("the slot is as long as the batch")
}
