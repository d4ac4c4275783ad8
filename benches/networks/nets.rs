//! The networks measured: as papers and PyTorch's model zoo have them, so that other tools can run the same.

use cnn_runtime::cnn;

cnn! {
    block basic(c, s = 1) =
        add(conv(c, 3x3, s, p1) -> bn -> relu -> conv(c, 3x3, p1) -> bn, shortcut(c, s)) -> relu;

    block bottleneck(c, s = 1) =
        add(conv(c, 1x1) -> bn -> relu -> conv(c, 3x3, s, p1) -> bn -> relu -> conv(4 * c, 1x1) -> bn,
            shortcut(4 * c, s))
        -> relu;

    block stem() = conv(64, 7x7, s2, p3) -> bn -> relu -> pool(3, s2, p1);

    // A convolution of VGG's.
    block same(c) = conv(c, 3x3, p1) -> relu;

    block classifier() = fc(4096) -> relu -> dropout(0.5) -> fc(4096) -> relu -> dropout(0.5) -> fc(1000);

    pub LeNet5 <1x28x28>
        -> conv(6, 5x5, s1, p2) -> relu -> pool(2, s2)
        -> conv(16, 5x5, s1) -> relu -> pool(2, s2)
        -> fc(120) -> relu -> fc(84) -> relu -> fc(10);

    pub ResNet20 <3x32x32> -> conv(16, 3x3, p1) -> bn -> relu
        -> basic(16) * 3
        -> basic(32, s2) -> basic(32) * 2
        -> basic(64, s2) -> basic(64) * 2
        -> avgpool(global) -> fc(10);

    pub AlexNet <3x227x227>
        -> conv(96, 11x11, s4) -> relu -> pool(3, s2) -> lrn
        -> conv(256, 5x5, p2) -> relu -> pool(3, s2) -> lrn
        -> conv(384, 3x3, p1) -> relu
        -> conv(384, 3x3, p1) -> relu
        -> conv(256, 3x3, p1) -> relu -> pool(3, s2)
        -> classifier();

    pub ResNet18 <3x224x224> -> stem()
        -> basic(64) * 2
        -> basic(128, s2) -> basic(128)
        -> basic(256, s2) -> basic(256)
        -> basic(512, s2) -> basic(512)
        -> avgpool(global) -> fc(1000);

    pub ResNet50 <3x224x224> -> stem()
        -> bottleneck(64) * 3
        -> bottleneck(128, s2) -> bottleneck(128) * 3
        -> bottleneck(256, s2) -> bottleneck(256) * 5
        -> bottleneck(512, s2) -> bottleneck(512) * 2
        -> avgpool(global) -> fc(1000);

    block resnet152() = stem()
        -> bottleneck(64) * 3
        -> bottleneck(128, s2) -> bottleneck(128) * 7
        -> bottleneck(256, s2) -> bottleneck(256) * 35
        -> bottleneck(512, s2) -> bottleneck(512) * 2
        -> avgpool(global) -> fc(1000);

    pub ResNet152 <3x224x224> -> resnet152();
    pub ResNet152Direct <3x224x224> direct -> resnet152();

    block vgg16() = same(64) * 2 -> pool(2)
        -> same(128) * 2 -> pool(2)
        -> same(256) * 3 -> pool(2)
        -> same(512) * 3 -> pool(2)
        -> same(512) * 3 -> pool(2)
        -> classifier();

    pub Vgg16 <3x224x224> -> vgg16();
    pub Vgg16Direct <3x224x224> direct -> vgg16();

    block vgg19() = same(64) * 2 -> pool(2)
        -> same(128) * 2 -> pool(2)
        -> same(256) * 4 -> pool(2)
        -> same(512) * 4 -> pool(2)
        -> same(512) * 4 -> pool(2)
        -> classifier();

    pub Vgg19 <3x224x224> -> vgg19();
    pub Vgg19Direct <3x224x224> direct -> vgg19();
}

// What PyTorch counts of the same networks.
const _: () = assert!(LeNet5::PARAMS == 61_706 && ResNet20::PARAMS == 272_474 && AlexNet::PARAMS == 62_378_344);
const _: () = assert!(ResNet18::PARAMS == 11_689_512 && ResNet50::PARAMS == 25_557_032);
const _: () = assert!(ResNet152::PARAMS == 60_192_808);
const _: () = assert!(ResNet152Direct::MACS == ResNet152::MACS && Vgg16Direct::MACS == Vgg16::MACS);
const _: () = assert!(Vgg16::PARAMS == 138_357_544 && Vgg19::PARAMS == 143_667_240);
