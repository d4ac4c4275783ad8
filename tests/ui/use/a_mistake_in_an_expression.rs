use cnn_runtime::prelude::*;

fn main() {
    let net = cnn!(<1x28x28> conv(6, 5x5, s1) -> pol(2, s2) -> fc(10));
    let mut workspace = net.workspace(1);
    let scores: &[f32; 10] = net.forward(&mut workspace, &[[[0.0; 28]; 28]; 1]);
    println!("{scores:?}");
}
