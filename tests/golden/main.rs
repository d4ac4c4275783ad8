//! Networks declared with `cnn!`, and pictures augmented, against values that PyTorch and torchvision computed. `make.py`,
//! `make_torchvision.py` and `make_augment.py` beside this file wrote the records and say what is in them.

mod augment;
mod layers;
mod record;
mod rules;
mod torchvision;
mod training;
