//! LeNet-5 and AlexNet: the shape after every layer, and what they cost.

use cnn_runtime::prelude::*;

cnn! {
    LeNet5Of1998 <1x32x32>
        -> conv(6, 5x5, s1) <6x28x28> -> tanh -> avgpool(2, s2) <6x14x14>
        -> conv(16, 5x5, s1) <16x10x10> -> tanh -> avgpool(2, s2) <16x5x5>
        -> conv(120, 5x5) <120x1x1> -> tanh
        -> fc(84) <84> -> tanh -> fc(10) <10>;

    LeNet5 <1x28x28>
        -> conv(6, 5x5, s1, p2) <6x28x28> -> relu -> pool(2, s2) <6x14x14>
        -> conv(16, 5x5, s1) <16x10x10> -> relu -> pool(2, s2) <16x5x5>
        -> fc(400 -> 120) <120> -> relu -> fc(84) <84> -> relu -> fc(10) <10>;
}

/// Output shapes of the layers with parameters and of the poolings.
fn listing(layers: &[LayerInfo]) -> Vec<(String, Vec<usize>)> {
    let shown = layers.iter().map(|layer| (layer.kind().to_owned(), layer.output.to_vec()));
    shown.filter(|(kind, _)| ["conv", "pool", "maxpool", "avgpool", "lrn", "fc"].contains(&&kind[..])).collect()
}

/// A listing as written here.
fn expected(lines: &[(&str, &[usize])]) -> Vec<(String, Vec<usize>)> {
    lines.iter().map(|&(kind, shape)| (kind.to_owned(), shape.to_vec())).collect()
}

#[test]
fn lenet5() {
    // C1, S2, C3, S4, C5, F6, output.
    assert_eq!(
        listing(LeNet5Of1998::LAYERS),
        expected(&[
            ("conv", &[6, 28, 28]),
            ("avgpool", &[6, 14, 14]),
            ("conv", &[16, 10, 10]),
            ("avgpool", &[16, 5, 5]),
            ("conv", &[120, 1, 1]),
            ("fc", &[84]),
            ("fc", &[10]),
        ])
    );
    // Every map of C3 reads all maps of S2, unlike the partial table of 1998.
    let parameters = 6 * (25 + 1) + 16 * (6 * 25 + 1) + 120 * (400 + 1) + 84 * (120 + 1) + 10 * (84 + 1);
    assert_eq!(LeNet5Of1998::PARAMS, parameters);
    assert_eq!(LeNet5::PARAMS, 61_706);
    assert_eq!(LeNet5::PARAMS, parameters);
    assert_eq!(LeNet5::MACS, (6 * 25 * 784 + 16 * 150 * 100 + 120 * 400 + 84 * 120 + 10 * 84) as u64);
}

cnn! {
    AlexNet <3x227x227>
        -> conv(96, 11x11, s4, p0) <96x55x55> -> relu
        -> pool(3x3, s2) <96x27x27>
        -> lrn <96x27x27>
        -> conv(256, 5x5, s1, p2) <256x27x27> -> relu
        -> pool(3x3, s2) <256x13x13>
        -> lrn <256x13x13>
        -> conv(384, 3x3, s1, p1) <384x13x13> -> relu
        -> conv(384, 3x3, s1, p1) <384x13x13> -> relu
        -> conv(256, 3x3, s1, p1) <256x13x13> -> relu
        -> pool(3x3, s2) <256x6x6>
        -> fc(4096) <4096> -> relu -> dropout(0.5)
        -> fc(4096) <4096> -> relu -> dropout(0.5)
        -> fc(1000) <1000>
}

#[test]
fn alexnet() {
    assert_eq!(
        listing(AlexNet::LAYERS),
        expected(&[
            ("conv", &[96, 55, 55]),
            ("pool", &[96, 27, 27]),
            ("lrn", &[96, 27, 27]),
            ("conv", &[256, 27, 27]),
            ("pool", &[256, 13, 13]),
            ("lrn", &[256, 13, 13]),
            ("conv", &[384, 13, 13]),
            ("conv", &[384, 13, 13]),
            ("conv", &[256, 13, 13]),
            ("pool", &[256, 6, 6]),
            ("fc", &[4096]),
            ("fc", &[4096]),
            ("fc", &[1000]),
        ])
    );
    let convs =
        96 * (3 * 121 + 1) + 256 * (96 * 25 + 1) + 384 * (256 * 9 + 1) + 384 * (384 * 9 + 1) + 256 * (384 * 9 + 1);
    let fcs = 4096 * (256 * 36 + 1) + 4096 * (4096 + 1) + 1000 * (4096 + 1);
    assert_eq!(AlexNet::PARAMS, convs + fcs);
    assert_eq!(AlexNet::PARAMS, 62_378_344);
    assert_eq!(AlexNet::MACS, 1_135_256_096);
}

#[test]
fn alexnets_recipe() {
    let count = |text: &str| AlexNet::LAYERS.iter().filter(|layer| layer.text.starts_with(text)).count();
    // After each of the five convolutions, and after the first two fully connected layers, which dropout follows.
    assert_eq!((count("conv("), count("fc("), count("relu")), (5, 3, 7));
    assert_eq!((count("lrn"), count("dropout(0.5)"), count("dropout")), (2, 2, 2));
    // A batch of 128 trains in less than 4 GB, with momentum as large as the parameters.
    let bytes = AlexNet::train_bytes(128) + 2 * 4 * AlexNet::PARAMS;
    assert!(bytes < 4_000_000_000, "{bytes}");
}
