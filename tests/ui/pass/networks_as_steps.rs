//! One network as a step of another: its input shape is checked, its layers are copied.

use cnn_runtime::prelude::*;

cnn! {
    pub Encoder <1x16x16> -> conv(4, 3x3, s2, p1) -> relu -> conv(8, 3x3, s2, p1) <8x4x4>;
    pub Head <8x4x4> -> avgpool(global) -> fc(5);
    pub Whole <1x32x32> -> pool(2) -> Encoder -> Head
}

const _: () = assert!(Whole::PARAMS == Encoder::PARAMS + Head::PARAMS);

pub fn main() {
    assert_eq!(Whole::LAYERS[1].name, "Encoder1.conv1");
    assert_eq!(Whole::OUTPUT, [5]);
}
