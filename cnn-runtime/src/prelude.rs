//! One line to import: `use cnn_runtime::prelude::*;`.

pub use crate::buffer::Buffer;
pub use crate::cnn;
pub use crate::error::Error;
pub use crate::info::{LayerInfo, NetInfo, TensorInfo};
pub use crate::init::Init;
pub use crate::loss::{Loss, Mse, SoftmaxCrossEntropy};
pub use crate::network::Network;
pub use crate::params::Params;
pub use crate::workspace::{TrainWorkspace, Workspace};
