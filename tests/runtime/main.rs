//! The runtime as a user's crate sees it: threads, stacks and bad input.

mod checkpoint;
mod errors;
mod inspect;
#[path = "../nets/mod.rs"]
mod nets;
mod stack;
mod threads;
