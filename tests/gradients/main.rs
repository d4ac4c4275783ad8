//! Gradients of whole networks declared with `cnn!`: against finite differences, and of a batch against its samples.

mod finite_differences;
mod networks;
mod random;
mod samples;
