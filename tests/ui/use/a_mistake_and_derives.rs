use cnn_runtime::prelude::*;

cnn! {
    /// A network that is cloned.
    #[derive(Clone, Debug, PartialEq)]
    pub Net <1x28x28> -> conv(6, 5x5) -> relu6(1) -> fc(10)
}

fn main() {
    let net = Net::new(0);
    assert_eq!(net.clone(), net, "{net:?}");
}
