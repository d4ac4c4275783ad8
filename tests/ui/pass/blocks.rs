//! Blocks: parameters, defaults, options and sizes as arguments, arguments by name, blocks in blocks.

use cnn_runtime::prelude::*;

cnn! {
    block unit(c, k, s = 1, wide = 2 * c) = conv(wide, k, s, p1) -> bn -> relu -> conv(c, 1x1);
    block residual(c, s = 1) = add(unit(c, 3x3, s), shortcut(c, s)) -> relu;

    pub Net <3x16x16>
        -> residual(4) -> residual(8, s2) -> residual(c = 8, s = 2) -> unit(5, 3, wide = 7) -> avgpool(global) -> fc(10)
}

pub fn main() {
    let names: Vec<_> = Net::LAYERS.iter().map(|layer| layer.name).collect();
    assert!(names.contains(&"residual2.unit1.conv1"), "{names:?}");
    let widened = Net::LAYERS.iter().find(|layer| layer.name == "unit1.conv1");
    assert_eq!(widened.map(|layer| layer.output), Some(&[7, 4, 4][..]));
}
