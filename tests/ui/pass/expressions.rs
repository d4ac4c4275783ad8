//! The form without a name is an expression: an instance, ready to use.

#![deny(warnings)]

use cnn_runtime::prelude::*;

pub fn main() {
    let net = cnn!(<1x28x28> conv(6,5x5,s1) -> pool(2,s2) -> fc(10));
    let scores: [f32; 10] = *net.forward(&mut net.workspace(1), &[[[0.5; 28]; 28]; 1]);
    assert!(scores.iter().any(|score| *score != 0.0));
    // An arrow before the first layer and a semicolon at the end change nothing.
    let same = cnn!(<1x28x28> -> conv(6, 5x5) -> pool(2) -> fc(10););
    assert_eq!(same.forward(&mut same.workspace(1), &[[[0.5; 28]; 28]; 1]), &scores);
}
