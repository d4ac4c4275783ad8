//! Tokens that come out of another macro are read as if they were written.

use cnn_runtime::prelude::*;

macro_rules! classifier {
    ($name:ident, $classes:literal, $width:expr) => {
        cnn! { pub $name <1x8x8> -> conv($width, 3x3) -> relu -> fc($classes) }
    };
}

classifier!(Digits, 10, 4);
classifier!(Letters, 26, 2 * 3);

pub fn main() {
    assert_eq!((Digits::OUTPUT, Letters::OUTPUT), ([10], [26]));
    assert_eq!(Letters::LAYERS[0].output, [6, 6, 6]);
}
