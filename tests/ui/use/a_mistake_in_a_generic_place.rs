use cnn_runtime::prelude::*;

cnn! { pub Net <1x28x28> -> conv(6, 5x5) <6x23x23> -> fc(10) }

struct Model<N: Network>(N, Workspace<N>);

fn main() {
    let net = Net::new(0);
    let workspace = net.workspace(Net::infer_bytes(1));
    let _model = Model(net, workspace);
}
