//! The order in which each value stands in memory: NCHW, or its channels in blocks of sixteen.
//!
//! Convolutions work on vectors of channels, which blocks hold ready. A convolution without groups reads either order
//! and writes either, so that it is where orders change; most layers have the same one on all sides; some know NCHW
//! alone. Values that must have one order make a class, and a class is in blocks unless something in it cannot be, or
//! nothing is gained: blocks are for convolutions that read them, and for what those hand on.

use crate::ir::{Graph, Op, ValueId};

/// The order of a value's elements in memory; its gradient has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `[channel][row][column]`.
    Nchw,
    /// `[channel / 16][row][column][channel % 16]`.
    Nchw16c,
}

/// Channels of a block of [`Order::Nchw16c`].
const BLOCK: usize = 16;

/// The fewest channels that are put into blocks.
const LEAST_CHANNELS: usize = 16;

/// How the orders of a layer's inputs and output depend on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bond {
    /// Not at all.
    Free,
    /// They are the same.
    Same,
    /// Blocks may become NCHW, but not the other way.
    Pool,
    /// All are NCHW.
    Plain,
}

/// The order of every value, in inference and training alike.
pub fn orders(graph: &Graph) -> Vec<Order> {
    let values = graph.nodes.len() + 1;
    let mut classes = Classes { parent: (0..values).collect(), plain: vec![false; values] };
    classes.plain(0);
    classes.plain(values - 1);
    for value in (0..values).filter(|&value| !fits(graph, value)) {
        classes.plain(value);
    }
    for (index, node) in graph.nodes.iter().enumerate() {
        for &input in &node.inputs {
            match bond(graph, index, input) {
                Bond::Free | Bond::Pool => {}
                Bond::Same => classes.tie(input, index + 1),
                Bond::Plain => {
                    classes.plain(input);
                    classes.plain(index + 1);
                }
            }
        }
    }
    classes.pools(graph);
    for value in unwanted(graph, &mut classes) {
        classes.plain(value);
    }
    (0..values).map(|value| if classes.is_plain(value) { Order::Nchw } else { Order::Nchw16c }).collect()
}

/// Whether a value can stand in blocks. At one position both orders are the same, and every layer reads it.
fn fits(graph: &Graph, value: ValueId) -> bool {
    let map = graph.shape(value).to_map();
    map.c.is_multiple_of(BLOCK) && map.c >= LEAST_CHANNELS && map.h * map.w > 1
}

fn is_pool(graph: &Graph, index: usize) -> bool {
    matches!(graph.nodes[index].op, Op::MaxPool { .. } | Op::AvgPool { .. })
}

/// How the order of a layer's output depends on that of an input.
fn bond(graph: &Graph, index: usize, input: ValueId) -> Bond {
    let node = &graph.nodes[index];
    match node.op {
        Op::Conv { groups: 1, .. } => Bond::Free,
        Op::Conv { groups, .. } => {
            let channels = [graph.shape(node.inputs[0]), node.output].map(|shape| shape.to_map().c);
            // Depthwise, with as many outputs as inputs.
            if channels == [groups; 2] { Bond::Same } else { Bond::Plain }
        }
        Op::MaxPool { .. } | Op::AvgPool { .. } => Bond::Pool,
        Op::Arith(_) => join(graph, index, input),
        Op::Act(_) | Op::BatchNorm { .. } | Op::Lrn { .. } | Op::Dropout { .. } | Op::Add | Op::Concat => Bond::Same,
        Op::ConvTranspose { .. }
        | Op::Fc { .. }
        | Op::Trained { .. }
        | Op::Softmax { .. }
        | Op::Reshape
        | Op::Expand
        | Op::Permute(_)
        | Op::Pad { .. }
        | Op::Upsample { .. }
        | Op::Resize { .. } => Bond::Plain,
    }
}

/// As [`bond`], of two values that are joined element by element: what is repeated along all channels or all positions of the
/// other is read beside it in either order.
fn join(graph: &Graph, index: usize, input: ValueId) -> Bond {
    let node = &graph.nodes[index];
    let [own, whole] = [graph.shape(input), node.output].map(|shape| shape.to_map());
    if own == whole {
        Bond::Same
    } else if node.inputs.iter().any(|&input| graph.shape(input).to_map() == whole)
        && (own.c == 1 || own.h * own.w == 1)
    {
        Bond::Free
    } else {
        Bond::Plain
    }
}

/// The values that no convolution reads in blocks, or makes of others in blocks.
fn unwanted(graph: &Graph, classes: &mut Classes) -> Vec<ValueId> {
    let mut wanted = vec![false; graph.nodes.len() + 1];
    // Where the first is wanted in blocks, so is the second.
    let mut hand_on = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        let Some(&input) = node.inputs.first() else { continue };
        if matches!(node.op, Op::Conv { .. }) {
            wanted[classes.find(input)] = true;
            hand_on.push([input, index + 1]);
        } else if is_pool(graph, index) {
            // A pool hands blocks on, and makes none.
            hand_on.extend([[input, index + 1], [index + 1, input]]);
        }
    }
    let mut changed = true;
    while changed {
        changed = false;
        for ends in &hand_on {
            let [from, to] = ends.map(|value| classes.find(value));
            if wanted[from] && !classes.plain[from] && !wanted[to] {
                wanted[to] = true;
                changed = true;
            }
        }
    }
    (0..wanted.len()).filter(|&value| !wanted[classes.find(value)]).collect()
}

/// Classes of values that have one order.
struct Classes {
    /// A value of the same class, nearer to the one that stands for it; that one is its own.
    parent: Vec<ValueId>,
    /// Whether the class is NCHW; counts at the value that stands for it.
    plain: Vec<bool>,
}

impl Classes {
    /// The value that stands for the class of `value`.
    fn find(&mut self, mut value: ValueId) -> ValueId {
        while self.parent[value] != value {
            self.parent[value] = self.parent[self.parent[value]];
            value = self.parent[value];
        }
        value
    }

    fn tie(&mut self, a: ValueId, b: ValueId) {
        let (a, b) = (self.find(a), self.find(b));
        self.plain[b] |= self.plain[a];
        self.parent[a] = b;
    }

    fn plain(&mut self, value: ValueId) {
        let class = self.find(value);
        self.plain[class] = true;
    }

    fn is_plain(&mut self, value: ValueId) -> bool {
        let class = self.find(value);
        self.plain[class]
    }

    /// Makes the output of every pool plain whose input is, until all are: that may be the input of an earlier one.
    fn pools(&mut self, graph: &Graph) {
        let pools: Vec<usize> = (0..graph.nodes.len()).filter(|&node| is_pool(graph, node)).collect();
        let mut changed = true;
        while changed {
            changed = false;
            for &pool in &pools {
                if self.is_plain(graph.nodes[pool].inputs[0]) && !self.is_plain(pool + 1) {
                    self.plain(pool + 1);
                    changed = true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Apply, Arith, Map, Resample, Shape, Window};
    use crate::testing::{Builder, lenet5};

    /// Whether each value is in blocks, the network's input first.
    fn blocked(net: &Builder) -> Vec<bool> {
        orders(net.graph()).into_iter().map(|order| order == Order::Nchw16c).collect()
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
        assert!(orders(&lenet5()).iter().all(|&order| order == Order::Nchw));
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
}
