use cnn_runtime::prelude::*;

cnn! { pub Net <28x28> -> conv(6, 5x5) -> relu -> fc(10) }

fn main() {
    let net = Net::new(0);
    let mut workspace = net.workspace(1);
    let _scores: &[f32; 10] = net.forward(&mut workspace, &[[[0.0; 28]; 28]; 1]);
}
