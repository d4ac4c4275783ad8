//! One line to import: `use cnn_runtime::prelude::*;`.

pub use crate::buffer::Buffer;
pub use crate::cnn;
pub use crate::data::{Dataset, Normalize, Split};
pub use crate::ensemble::Ensemble;
pub use crate::error::Error;
pub use crate::info::{LayerInfo, NetInfo, TensorInfo};
pub use crate::init::Init;
pub use crate::loss::{BinaryCrossEntropy, Loss, Mse, SoftmaxCrossEntropy};
pub use crate::metrics::{Confusion, Evaluation, evaluate};
pub use crate::network::Network;
pub use crate::optim::{Adam, AdamW, Optimizer, RmsProp, Sgd};
pub use crate::params::Params;
pub use crate::train::{
    Callback, Constant, Cosine, Epoch, History, Monitor, OneCycle, Plateau, Position, Schedule, Step, StepDecay,
    Trainer, warm_up,
};
pub use crate::workspace::{TrainWorkspace, Workspace};
