//! Shapes behind layers, groups and repeats, and the stated inputs of `fc`.

use cnn_runtime::prelude::*;

cnn! {
    pub Net <1x28x28>
        -> conv(6, 5x5) -> relu <6x24x24>
        -> (pool(2, s2) -> conv(16, 5x5)) <16x8x8>
        -> pool(2) * 2 <16x2x2> -> flatten <64>
        -> fc(64 -> 1_000) <1_000> -> fc(10)
}

pub fn main() {
    assert_eq!(Net::OUTPUT, [10]);
}
