//! Names of the module around the invocation do not reach into the generated code, nor the other way round.

#![allow(dead_code, non_upper_case_globals, reason = "they only have to be there")]

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
pub const INFO: u8 = 1;
pub const CONV1: u8 = 2;
pub const None: u8 = 3;

cnn_runtime::cnn! { pub Network <1x6x6> -> conv(2, 3x3) -> bn -> info = relu -> dropout -> add(id, info) -> fc(4) }

const TRAIN: u8 = 3;

pub fn main() {
    let net = Network::new(INFO.into());
    let mut workspace = net.workspace(1);
    let scores = net.forward(&mut workspace, &[[[1.0; 6]; 6]; 1]);
    assert!(scores.iter().all(|score| score.is_finite()));
    assert_eq!(INFO + CONV1, TRAIN);
}
