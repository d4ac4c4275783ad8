use cnn_model::Naming;

use crate::{Error, Network, cnn};

cnn! {
    block basic(c, s = 1) =
        add(conv(c, 3x3, s, p1) -> bn -> relu -> conv(c, 3x3, p1) -> bn, shortcut(c, s)) -> relu;

    Residual <3x16x16>
        -> conv(4, 7x7, s2, p3) -> bn -> relu -> pool(3, s2, p1)
        -> basic(4) * 2 -> basic(6, s2) -> avgpool(global) -> fc(5);

    Chain <3x16x16>
        -> conv(4, 3x3, p1) -> bn -> relu -> pool(2) -> conv(5, 3x3) -> relu -> avgpool(2)
        -> flatten -> dropout -> fc(7) -> relu -> fc(3);

    Unflattened <3x16x16> -> conv(4, 3x3, p1) -> relu -> fc(7) -> relu -> fc(3);

    Forked <3x16x16> -> concat(conv(4, 1x1), pool(3, s1, p1)) -> fc(3);

    Nested <3x16x16> -> conv(4, 1x1) -> add(conv(4, 1x1) -> add(conv(4, 1x1), id), id) -> fc(3);

    TwoHeads <3x16x16> -> conv(4, 1x1) -> basic(4) -> fc(5) -> relu -> fc(3);
}

fn names<N: Network>(naming: Naming) -> Vec<String> {
    naming.names(N::INFO).unwrap()
}

fn refusal<N: Network>(naming: Naming) -> String {
    let refusal = naming.names(N::INFO).unwrap_err();
    let text = refusal.to_string();
    assert_eq!(Error::from(refusal).to_string(), text);
    text
}

/// The modules in the order of their first tensors.
fn modules(names: Vec<String>) -> Vec<String> {
    let mut modules: Vec<_> = names.iter().map(|name| name.rsplit_once('.').unwrap().0.to_owned()).collect();
    modules.dedup();
    modules
}

#[test]
fn a_residual_network_has_layers_of_blocks() {
    let expected = [
        "conv1",
        "bn1",
        "layer1.0.conv1",
        "layer1.0.bn1",
        "layer1.0.conv2",
        "layer1.0.bn2",
        "layer1.1.conv1",
        "layer1.1.bn1",
        "layer1.1.conv2",
        "layer1.1.bn2",
        "layer2.0.conv1",
        "layer2.0.bn1",
        "layer2.0.conv2",
        "layer2.0.bn2",
        "layer2.0.downsample.0",
        "layer2.0.downsample.1",
        "fc",
    ];
    let names = names::<Residual>(Naming::Torchvision);
    assert_eq!(
        names[..6],
        ["conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var", "layer1.0.conv1.weight"]
    );
    let mut modules = modules(names);
    let order = |name: &String| expected.iter().position(|expected| name == expected);
    modules.sort_by_key(order);
    assert_eq!(modules, expected);
}

#[test]
fn a_chain_is_features_and_a_classifier() {
    let expected = ["features.0", "features.1", "features.4", "classifier.1", "classifier.3"];
    assert_eq!(modules(names::<Chain>(Naming::Torchvision)), expected);
    let expected = ["features.0", "classifier.0", "classifier.2"];
    assert_eq!(modules(names::<Unflattened>(Naming::Torchvision)), expected);
}

#[test]
fn a_chain_is_numbered_with_the_flattening_that_pytorch_needs() {
    assert_eq!(modules(names::<Chain>(Naming::Sequential)), ["0", "1", "4", "9", "11"]);
    assert_eq!(modules(names::<Unflattened>(Naming::Sequential)), ["0", "3", "5"]);
}

#[test]
fn other_structures_are_refused_with_the_layer_that_stands_in_the_way() {
    assert_eq!(
        refusal::<Forked>(Naming::Torchvision),
        "layers to be named: expected a chain or a chain of residual blocks, so that names as of torchvision follow, \
         found Forked, where `concat1` is no sum of a block and its shortcut"
    );
    assert!(refusal::<Forked>(Naming::Sequential).contains("several layers read the input"));
    assert!(refusal::<Residual>(Naming::Sequential).contains("what follows `pool1` is no chain"));
    assert!(refusal::<Nested>(Naming::Torchvision).contains("`conv2` starts other branches inside a block"));
    assert!(refusal::<TwoHeads>(Naming::Torchvision).contains("`fc2` stands where torchvision has no such layer"));
    assert_eq!(names::<Forked>(Naming::Own), ["conv1.weight", "conv1.bias", "fc1.weight", "fc1.bias"]);
}
