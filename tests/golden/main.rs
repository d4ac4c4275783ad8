//! Networks declared with `cnn!` against values that PyTorch computed. `make.py` beside this file wrote the records and
//! says what is in them.

mod layers;
mod record;
mod rules;
mod training;
