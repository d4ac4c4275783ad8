use super::*;
use crate::ir::{Apply, Arith, Map, Resample, Shape, Window};
use crate::testing::{Builder, lenet5};

/// Whether each value is in blocks, the network's input first.
fn blocked(net: &Builder) -> Vec<bool> {
    orders(net.graph()).into_iter().map(|order| order == Order::Nchw16c).collect()
}

/// Whether each value is in groups of samples, the network's input first.
fn grouped(graph: &Graph) -> Vec<bool> {
    orders(graph).into_iter().map(|order| order == Order::Chwn16).collect()
}

/// A network from 3x9x7, and the output of its stem of so many channels.
fn stem(channels: usize) -> (Builder, ValueId) {
    let mut net = Builder::new(3, 9, 7);
    let x = net.conv(0, channels, 3, 1, 1, 1);
    (net, x)
}

fn global_pool(net: &mut Builder, x: ValueId) -> ValueId {
    let Map { c, h, w } = net.graph().shape(x).to_map();
    let window = Window { kernel: [h, w], stride: [1; 2], dilation: [1; 2], pad: [0; 4] };
    net.push(Op::AvgPool { window, counted: [0; 4] }, &[x], Shape::Map(Map { c, h: 1, w: 1 }))
}

fn upsample(net: &mut Builder, x: ValueId) -> ValueId {
    let Map { c, h, w } = net.graph().shape(x).to_map();
    let op = Op::Upsample { scale: [2; 2], resample: Resample::Nearest };
    net.push(op, &[x], Shape::Map(Map { c, h: 2 * h, w: 2 * w }))
}

#[test]
fn a_stem_and_a_residual_block_stand_in_blocks() {
    let (mut net, x) = stem(32);
    let x = net.bn(x);
    let skip = net.relu(x);
    let x = net.conv(skip, 32, 3, 1, 1, 1);
    let x = net.bn(x);
    let x = net.add(&[x, skip]);
    let x = net.relu(x);
    let x = global_pool(&mut net, x);
    net.fc(x, 5);
    assert_eq!(blocked(&net), [false, true, true, true, true, true, true, true, false, false]);
}

#[test]
fn one_branch_that_cannot_keeps_a_sum_plain() {
    let (mut net, x) = stem(32);
    let a = net.conv(x, 48, 3, 1, 1, 1);
    let b = net.conv(x, 48, 1, 1, 0, 1);
    let scaled = net.same(Op::Trained { apply: Apply::Scale, tensor: Shape::Flat(48) }, b);
    let sum = net.add(&[a, scaled]);
    let x = net.conv(sum, 16, 1, 1, 0, 1);
    net.fc(x, 5);
    assert_eq!(blocked(&net), [false, true, false, false, false, false, false, false]);
}

#[test]
fn the_output_of_the_network_is_plain() {
    let (mut net, x) = stem(16);
    net.conv(x, 16, 3, 1, 1, 1);
    assert_eq!(blocked(&net), [false, true, false]);
    let (mut net, x) = stem(16);
    net.relu(x);
    assert_eq!(blocked(&net), [false, false, false]);
}

#[test]
fn blocks_that_no_convolution_reads_are_not_made() {
    assert!(orders(&lenet5()).iter().all(|&order| order != Order::Nchw16c));
    let (mut net, x) = stem(32);
    let x = net.max_pool(x, 2, 2);
    let x = net.conv(x, 16, 1, 1, 0, 1);
    let x = net.max_pool(x, 2, 2);
    net.fc(x, 5);
    // What is made of blocks stays in them; the first pool has them for the second convolution.
    assert_eq!(blocked(&net), [false, true, true, true, false, false]);
}

#[test]
fn channels_that_are_no_whole_blocks_are_plain() {
    let (mut net, x) = stem(24);
    net.conv(x, 32, 3, 1, 1, 1);
    assert_eq!(blocked(&net), [false; 3]);
}

#[test]
fn a_pool_before_a_fully_connected_layer_leaves_its_input_in_blocks() {
    let (mut net, x) = stem(32);
    let x = net.conv(x, 32, 1, 1, 0, 1);
    let x = net.max_pool(x, 2, 2);
    let x = net.same(Op::Lrn { size: 5, alpha: 1e-4, beta: 0.75, k: 1.0 }, x);
    let x = net.max_pool(x, 2, 2);
    let x = net.same(Op::Dropout { rate: 0.5 }, x);
    net.fc(x, 5);
    assert_eq!(blocked(&net), [false, true, true, true, true, false, false, false]);
}

#[test]
fn a_pool_does_not_make_blocks() {
    let mut net = Builder::new(16, 9, 8);
    let x = net.max_pool(0, 2, 1);
    let x = net.relu(x);
    let x = net.max_pool(x, 2, 1);
    let x = net.conv(x, 16, 3, 1, 1, 1);
    net.fc(x, 5);
    assert_eq!(blocked(&net), [false; 6]);
}

#[test]
fn a_later_pool_may_decide_for_an_earlier_one() {
    let (mut net, x) = stem(16);
    let window = Window { kernel: [3; 2], stride: [1; 2], dilation: [1; 2], pad: [1; 4] };
    let first = net.same(Op::MaxPool { window }, x);
    let y = net.conv(x, 16, 1, 1, 0, 1);
    let y = net.same(Op::Softmax { log: false }, y);
    let second = net.same(Op::MaxPool { window }, y);
    // Softmax makes the second pool's output plain, the sum thereby the first one's input.
    let sum = net.add(&[x, second]);
    let y = net.conv(first, 16, 1, 1, 0, 1);
    let z = net.conv(sum, 16, 1, 1, 0, 1);
    let y = net.add(&[y, z]);
    let y = net.conv(y, 16, 1, 1, 0, 1);
    let y = net.max_pool(y, 2, 2);
    net.fc(y, 5);
    let plain = [false; 7];
    assert_eq!(blocked(&net), [plain.as_slice(), &[true, true, true, true, false, false]].concat());
}

#[test]
fn parts_of_a_concat_are_whole_blocks() {
    for (channels, expected) in [(16, true), (24, false)] {
        let (mut net, x) = stem(32);
        let a = net.conv(x, channels, 1, 1, 0, 1);
        let b = net.conv(x, channels, 3, 1, 1, 1);
        let x = net.concat(&[a, b]);
        let x = net.conv(x, 16, 1, 1, 0, 1);
        net.fc(x, 5);
        assert_eq!(blocked(&net), [false, true, expected, expected, expected, false, false], "{channels}");
    }
}

#[test]
fn upsampling_has_plain_maps_on_both_sides() {
    let (mut net, x) = stem(32);
    let x = net.conv(x, 16, 3, 1, 1, 1);
    let x = upsample(&mut net, x);
    let x = net.relu(x);
    let x = net.conv(x, 32, 3, 1, 1, 1);
    net.conv(x, 1, 1, 1, 0, 1);
    assert_eq!(blocked(&net), [false, true, false, false, false, true, false]);
}

#[test]
fn one_position_forces_nothing() {
    let (mut net, x) = stem(32);
    let x = net.conv(x, 32, 1, 1, 0, 1);
    let pooled = global_pool(&mut net, x);
    let y = net.conv(pooled, 16, 1, 1, 0, 1);
    let y = net.relu(y);
    let y = net.conv(y, 32, 1, 1, 0, 1);
    let y = net.add(&[y, pooled]);
    let x = global_pool(&mut net, x);
    let y = net.push(Op::Arith(Arith::Mul), &[x, y], net.graph().shape(x));
    net.fc(y, 5);
    assert_eq!(blocked(&net), [[false, true, true].as_slice(), &[false; 8]].concat());
}

#[test]
fn a_factor_for_each_channel_or_position_leaves_a_map_in_blocks() {
    let (mut net, x) = stem(32);
    let factor = global_pool(&mut net, x);
    let x = net.push(Op::Arith(Arith::Mul), &[x, factor], net.graph().shape(x));
    let mask = net.conv(x, 1, 1, 1, 0, 1);
    let x = net.push(Op::Arith(Arith::Mul), &[mask, x], net.graph().shape(x));
    let x = net.conv(x, 32, 3, 1, 1, 1);
    net.fc(x, 5);
    assert_eq!(blocked(&net), [false, true, false, true, false, true, false, false]);
}

#[test]
fn a_depthwise_convolution_has_one_order_on_both_sides() {
    let (mut net, x) = stem(32);
    let x = net.conv(x, 32, 3, 1, 1, 32);
    let x = net.bn(x);
    let x = net.conv(x, 64, 1, 1, 0, 1);
    let x = net.conv(x, 64, 3, 1, 1, 64);
    net.fc(x, 5);
    assert_eq!(blocked(&net), [false, true, true, true, false, false, false]);
}

#[test]
fn a_depthwise_convolution_of_the_whole_map_reads_it_plain() {
    let mut net = Builder::new(3, 9, 9);
    let x = net.conv(0, 32, 3, 1, 1, 1);
    net.conv(x, 32, 9, 1, 0, 32);
    assert_eq!(blocked(&net), [false; 3]);
}

#[test]
fn other_groups_are_plain() {
    for (channels, groups) in [(32, 2), (64, 32)] {
        let (mut net, x) = stem(32);
        let x = net.conv(x, channels, 3, 1, 1, groups);
        let x = net.conv(x, 16, 1, 1, 0, 1);
        let x = net.conv(x, 16, 1, 1, 0, 1);
        let x = net.max_pool(x, 2, 2);
        net.fc(x, 5);
        assert_eq!(blocked(&net), [false, false, false, true, true, false, false], "{groups} groups");
    }
}

#[test]
fn samples_stand_in_groups_up_to_the_fully_connected_layers() {
    // Two of convolution, relu and pool; the second pool is read by a fully connected layer.
    let expected = [[false].as_slice(), &[true; 5], &[false; 6]].concat();
    assert_eq!(grouped(&lenet5()), expected);
}

#[test]
fn a_convolution_that_covers_its_input_reads_it_plain() {
    let mut net = Builder::new(1, 9, 9);
    let x = net.conv(0, 6, 3, 1, 0, 1);
    let x = net.conv(x, 20, 7, 1, 0, 1);
    net.fc(x, 5);
    assert_eq!(grouped(net.graph()), [false; 4]);
    let mut net = Builder::new(1, 9, 9);
    let x = net.conv(0, 16, 3, 1, 0, 1);
    let x = net.conv(x, 32, 7, 1, 0, 1);
    net.fc(x, 5);
    assert_eq!(blocked(&net), [false; 4]);
}

/// A pool changes the order on its way; a convolution that others wait for keeps theirs.
#[test]
fn a_pool_before_a_convolution_that_covers_its_input_makes_it_plain() {
    for pooled in [true, false] {
        let (mut net, x) = stem(32);
        let x = net.conv(x, 32, 3, 1, 1, 1);
        let x = if pooled { net.max_pool(x, 2, 2) } else { net.conv(x, 32, 3, 2, 1, 1) };
        let Map { h, w, .. } = net.graph().shape(x).to_map();
        let window = Window { kernel: [h, w], stride: [1; 2], dilation: [1; 2], pad: [0; 4] };
        let op = Op::Conv { window, groups: 1, bias: true, direct: false };
        let x = net.push(op, &[x], Shape::Map(Map { c: 64, h: 1, w: 1 }));
        net.fc(x, 5);
        assert_eq!(blocked(&net), [false, true, true, !pooled, false, false], "{pooled}");
    }
}

#[test]
fn what_is_not_made_for_groups_has_none_around_it() {
    for strided in [false, true] {
        let mut net = Builder::new(1, 9, 9);
        let x = net.conv(0, 6, 3, 1, 0, 1);
        let x = net.relu(x);
        let x = if strided { net.conv(x, 6, 3, 2, 1, 1) } else { net.bn(x) };
        let x = net.conv(x, 6, 3, 1, 0, 1);
        let x = net.add(&[x, x]);
        let x = net.max_pool(x, 2, 2);
        net.fc(x, 5);
        let before = [false; 4];
        assert_eq!(grouped(net.graph()), [before.as_slice(), &[true, true, false, false]].concat(), "{strided}");
    }
}

#[test]
fn blocks_come_before_groups() {
    let (mut net, x) = stem(16);
    let x = net.conv(x, 6, 3, 1, 1, 1);
    let x = net.conv(x, 6, 3, 1, 1, 1);
    let x = net.max_pool(x, 2, 2);
    net.fc(x, 5);
    assert_eq!(blocked(&net), [false, true, false, false, false, false]);
    // The second convolution reads blocks, and writes no groups.
    assert_eq!(grouped(net.graph()), [false, false, false, true, false, false]);
}

#[test]
fn what_winograd_serves_better_has_no_groups() {
    for (channels, expected) in [(23, true), (24, false)] {
        let mut net = Builder::new(1, 9, 9);
        let x = net.conv(0, channels, 5, 1, 0, 1);
        let x = net.conv(x, 25, 3, 1, 1, 1);
        let x = net.max_pool(x, 2, 2);
        net.fc(x, 5);
        assert_eq!(grouped(net.graph())[2], expected, "{channels} channels");
    }
}

#[test]
fn many_weights_have_no_groups() {
    for (kernel, expected) in [(5, true), (7, false)] {
        let mut net = Builder::new(1, 11, 11);
        let x = net.conv(0, 50, 5, 1, 0, 1);
        let x = net.conv(x, 50, kernel, 1, 3, 1);
        let x = net.max_pool(x, 2, 2);
        net.fc(x, 5);
        assert_eq!(grouped(net.graph())[2], expected, "{kernel}x{kernel}");
    }
}

#[test]
fn a_sample_that_is_large_stands_alone() {
    for (size, expected) in [(52, true), (53, false)] {
        let mut net = Builder::new(1, size, size);
        let x = net.conv(0, 6, 1, 1, 0, 1);
        let x = net.max_pool(x, 2, 2);
        net.fc(x, 5);
        assert_eq!(grouped(net.graph()), [false, expected, false, false], "{size}");
    }
}
