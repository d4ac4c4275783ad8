//! Networks are items, so they may stand in a function, and twice under one name in different ones.

use cnn_runtime::prelude::*;

fn small() -> usize {
    cnn! { Net <1x4x4> -> fc(2) }
    Net::PARAMS
}

fn large() -> usize {
    cnn! { Net <1x8x8> -> fc(2) }
    Net::PARAMS
}

pub fn main() {
    assert_eq!((small(), large()), (34, 130));
}
