//! Names that later layers reach back to: a small U-Net.

use cnn_runtime::prelude::*;

cnn! {
    pub UNet <2x16x16>
        -> fine = conv(3, 3x3, same) -> relu
        -> pool(2) -> coarse = (conv(5, 3x3, same) -> relu) -> pool(2)
        -> conv(7, 3x3, same)
        -> upsample(2) -> concat(id, coarse) <12x8x8>
        -> upsample(2, bilinear) -> concat(id, fine -> tanh) <15x16x16>
        -> conv(1, 1x1)
}

pub fn main() {
    assert_eq!(UNet::OUTPUT, [1, 16, 16]);
    let net = UNet::new(1);
    let map: [[[f32; 16]; 16]; 1] = *net.forward(&mut net.workspace(1), &[[[0.25; 16]; 16]; 2]);
    assert!(map.iter().flatten().flatten().all(|value| value.is_finite()));
}
