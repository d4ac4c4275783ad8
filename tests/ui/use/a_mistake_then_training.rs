use cnn_runtime::prelude::*;

cnn! { pub Net <1x28x28> -> conv(6, 5x5) -> pool(2) -> fc(865 -> 10) }

fn main() {
    let mut net = Net::new(0);
    let mut workspace = net.train_workspace(8);
    let batch = ndarray::Array4::zeros((8, 1, 28, 28));
    net.forward_train(&mut workspace, batch.view(), 1).unwrap();
    net.backward(&mut workspace).unwrap();
    Sgd::new(0.1).step(&mut net, &workspace).unwrap();
}
