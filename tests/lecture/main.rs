//! What a lecture on convolutional networks says, number by number.

mod architectures;
mod claims;
mod worked_examples;
