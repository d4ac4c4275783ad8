cnn_runtime::cnn! { Net <1x28x28> -> fc(10) }

fn main() {
    use cnn_runtime::prelude::*;
    let net = Net::new(1);
    let mut workspace = net.workspace(1);
    let _scores: &[f32; 12] = net.forward(&mut workspace, &[[[0.0; 28]; 28]; 1]);
}
