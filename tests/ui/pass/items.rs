//! Docs, derives, visibility, several networks in one invocation, and the consts of each.

use cnn_runtime::prelude::*;

cnn! {
    /// LeNet-5 for 28x28 grey digits.
    #[derive(Clone, Debug)]
    pub LeNet5 <1x28x28>
        -> conv(6, 5x5, s1, p2) -> relu -> pool(2, s2)
        -> conv(16, 5x5, s1)    -> relu -> pool(2, s2)
        -> fc(120) -> relu -> fc(84) -> relu -> fc(10);

    pub(crate) Tiny <3x5x7> -> conv(2, 3x3);
    Private <1x4x4> -> fc(3);

    #[cfg(debug_assertions)]
    Chosen <1x4x4> -> fc(5);
    #[cfg(not(debug_assertions))]
    Chosen <1x4x4> -> fc(7);
    #[cfg_attr(all(), derive(Debug), cfg(any()))]
    Absent <1x4x4> -> fc(9)
}

const _: () = assert!(LeNet5::PARAMS == 61_706 && LeNet5::INPUT[1] == 28 && LeNet5::OUTPUT[0] == 10);
const _: () = assert!(LeNet5::infer_bytes(2) < LeNet5::train_bytes(2));

pub fn main() {
    let net = LeNet5::new(7);
    let scores = *net.clone().forward(&mut net.workspace(1), &[[[0.5; 28]; 28]; 1]);
    assert!(scores.iter().any(|score| *score != 0.0));
    assert!(LeNet5::SUMMARY.contains("61,706") && LeNet5::DOT.starts_with("digraph") && LeNet5::LAYERS.len() == 11);
    assert_eq!((Tiny::OUTPUT, Private::PARAMS), ([2, 3, 5], 51));
    assert_eq!(Chosen::OUTPUT, [if cfg!(debug_assertions) { 5 } else { 7 }]);
}
