//! Weights in files: safetensors, with the feature `npz` NumPy's npz, and with the feature `onnx` those of ONNX models.
//!
//! [`Network::save`](crate::Network::save) and [`Network::load`](crate::Network::load) are for the common case: what one
//! wrote the other reads, and `load` also reads PyTorch's state dicts of networks declared alike. Layouts at this edge
//! are PyTorch's: OIHW for convolutions and `[out, in]` for fully connected layers, whose inputs are in CHW order. Names
//! follow from the declaration ([`Naming`]): the file of torchvision's ResNet-18 loads as it is into a network that is
//! declared like it.
//!
//! [`Loader`] has rules for the rest: other names, a head of another size, tensors to pass over. Either everything fits and
//! all of it is loaded, or the network stays as it is and one error lists every tensor that is missing, surplus or
//! of another shape. [`Saver`] writes other names, and beside the weights what pictures are normalised by and what classes
//! are called; [`Weights`] and [`write()`] are for any named tensors.
//!
//! `weights = "net.safetensors"` in a declaration makes [`cnn!`](crate::cnn) hold the file against it while it compiles;
//! with `embed` behind it the file becomes a part of the binary, from which
//! [`Network::pretrained`](crate::Network::pretrained) makes an instance.
//!
//! A state dict is saved from PyTorch by `safetensors.torch.save_file(model.state_dict(), path)`, and ours is loaded there
//! by `model.load_state_dict(safetensors.torch.load_file(path))`.

mod file;
mod loader;
mod naming;
#[cfg(feature = "npz")]
mod npz;
#[cfg(feature = "onnx")]
mod onnx;
mod report;
mod safetensors;
mod saver;
mod tensor;
mod values;

#[doc(inline)]
pub use cnn_model::Dtype;
#[doc(inline)]
pub use cnn_model::naming::{Naming, Unnamed};
pub(crate) use file::RUN;
pub use file::{Entry, Weights};
pub use loader::{Loaded, Loader};
pub use report::{Mismatch, Misshapen, Missing, Surplus};
pub(crate) use safetensors::write as write_safetensors;
pub use saver::{Saver, write};
pub use tensor::Tensor;
