//! Networks that several test programs use.

use cnn_runtime::cnn;

cnn! {
    pub LeNet5 <1x28x28>
        -> conv(6, 5x5, s1, p2) -> relu -> pool(2, s2)
        -> conv(16, 5x5, s1) -> relu -> pool(2, s2)
        -> fc(120) -> relu -> fc(84) -> relu -> fc(10);

    block basic(c, s = 1) =
        add(conv(c, 3x3, s, p1) -> bn -> relu -> conv(c, 3x3, p1) -> bn, shortcut(c, s)) -> relu;

    /// Layers of most kinds, and enough work in each pass to share it among threads.
    pub Residual <3x32x32>
        -> conv(16, 3x3, p1) -> bn -> relu -> lrn
        -> basic(16) -> basic(24, s2)
        -> concat(conv(8, 1x1) -> relu, dwconv(3, p1) -> relu6, pool(3, s1, p1))
        -> conv(32, 3x3, p1, g2) -> gelu -> dropout(0.25)
        -> avgpool(global) -> fc(10)
}
