//! Networks declared with `cnn!` against values that PyTorch computed. `make.py` and `make_torchvision.py` beside this
//! file wrote the records and say what is in them.

mod layers;
mod record;
mod rules;
mod torchvision;
mod training;
