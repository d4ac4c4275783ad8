//! The runtime as a user's crate sees it: threads, stacks and bad input.

mod checkpoint;
mod errors;
mod inspect;
mod kept;
#[path = "../nets/mod.rs"]
mod nets;
mod pretrained;
mod stack;
mod threads;
