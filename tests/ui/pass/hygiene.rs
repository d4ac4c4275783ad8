//! Names of the module around the invocation do not reach into the generated code, nor the other way round.

#![allow(dead_code, unused_imports, nonstandard_style, reason = "they only have to be there")]

use cnn_runtime::Network as _;

pub struct Conv;
pub struct Slot;
pub struct Frame;
pub enum Option {
    None,
}
pub mod rt {}
pub mod core {}
pub mod infer {}
pub const INFO: u16 = 1;
pub const CONV1: u16 = 2;
pub const None: u16 = 3;

// What the generated code binds.
pub const g: f32 = 9.81;
pub static seed: u64 = 1;
pub const batch: u16 = 16;
pub struct s;
pub const x: f32 = 0.0;
pub const params: f32 = 0.0;
pub enum Case {
    p,
    frame,
    arena(u16),
}
pub use Case::{arena, frame, p};

// The primitive types that it names.
pub struct usize;
pub struct u8;
pub type f32 = f64;
pub trait str {}
pub mod bool {}

cnn_runtime::cnn! { pub Network <1x6x6> -> conv(2, 3x3) -> bn -> info = relu -> dropout -> add(id, info) -> fc(4) }

const TRAIN: u16 = 3;

pub fn main() {
    let net = Network::new(INFO.into());
    let mut workspace = net.workspace(1);
    let scores = net.forward(&mut workspace, &[[[1.0; 6]; 6]; 1]);
    assert!(scores.iter().all(|score| score.is_finite()));
    assert_eq!(INFO + CONV1, TRAIN);

    const batch: u16 = 1;
    let net = cnn_runtime::cnn!(<1x6x6> pool(2) -> fc(4));
    assert_eq!(net.forward(&mut net.workspace(batch.into()), &[[[1.0; 6]; 6]; 1]).len(), 4);
}
