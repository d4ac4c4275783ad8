cnn_runtime::cnn! { Net <1x28x28> -> fc(10) }

fn main() {
    use cnn_runtime::prelude::*;
    let net = Net::new(1);
    let image = [[[0.0; 32]; 32]; 1];
    net.forward(&mut net.workspace(1), &image);
}
