//! `* N` behind a layer, a block or a group, with a computed count.

use cnn_runtime::prelude::*;

cnn! {
    block stack(c, n) = (conv(c, 3x3, p1) -> relu) * n;

    pub Net <3x8x8> -> stack(4, 2) -> stack(5, 2 + 1) * 2 -> conv(5, 3x3) * 3 <5x2x2> -> fc(10)
}

pub fn main() {
    let convolutions = Net::LAYERS.iter().filter(|layer| layer.kind() == "conv").count();
    assert_eq!(convolutions, 2 + 2 * 3 + 3);
}
