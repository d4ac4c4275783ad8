//! The networks of the example `finetune`, which the example `predict` knows, too.

use cnn_runtime::prelude::*;

cnn! {
    block basic(c, s = 1) =
        add(conv(c, 3x3, s, p1) -> bn -> relu -> conv(c, 3x3, p1) -> bn, shortcut(c, s)) -> relu;

    block small() =
        conv(16, 3x3, p1) -> bn -> relu
        -> basic(16) -> basic(32, s2) -> basic(64, s2) -> avgpool(global);

    block resnet() =
        conv(64, 7x7, s2, p3) -> bn -> relu -> pool(3, s2, p1)
        -> basic(64) * 2 -> basic(128, s2) -> basic(128) -> basic(256, s2) -> basic(256)
        -> basic(512, s2) -> basic(512) -> avgpool(global);

    /// The small body, with a head for six kinds of clothes that it learns from.
    pub SixKinds <1x28x28> -> small() -> fc(6);

    /// The same body, with a head for the other four.
    #[derive(Clone)]
    pub FourKinds <1x28x28> -> small() -> fc(4);

    /// ResNet-18's body, with a head for eight classes of pictures.
    #[derive(Clone)]
    pub EightKinds <3x224x224> -> resnet() -> fc(8);
}
