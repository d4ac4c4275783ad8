use proptest::prelude::*;

use super::*;
use crate::backward::Saved;
use crate::compile::{Compiled, compile};
use crate::ir::{Act, Op};
use crate::testing::{Builder, lenet5, residual};

/// Every buffer of one kind as `offset..end`, in order.
fn offsets(plan: &Plan, fixed: bool) -> Vec<(Purpose, std::ops::Range<usize>)> {
    let chosen = plan.buffers.iter().filter(|buffer| buffer.fixed == fixed);
    chosen.map(|buffer| (buffer.purpose, buffer.offset..buffer.offset + buffer.len)).collect()
}

#[test]
fn lenet5_infers_in_its_two_largest_neighbours() {
    let graph = lenet5();
    let plan = compile(&graph).infer;
    assert_eq!(
        offsets(&plan, false),
        [
            (Purpose::Value(0), 0..784),
            (Purpose::Value(3), 784..1960), // conv1, act1 and pool1
            (Purpose::Value(6), 0..400),    // conv2, act2 and pool2
            (Purpose::Value(7), 400..520),
            (Purpose::Value(9), 0..84),
            (Purpose::Value(11), 96..106),
        ]
    );
    // 1960 is the least possible: the input and pool1's output stand side by side.
    assert_eq!((plan.per_sample, plan.fixed), (1968, 0));
}

#[test]
fn training_keeps_values_until_their_last_backward_use() {
    let mut net = Builder::new(1, 4, 4);
    let x = net.conv(0, 2, 3, 1, 1, 1);
    let x = net.relu(x);
    net.fc(x, 3);
    let plan = compile(net.graph()).train;
    // Steps: input 0, forward 1..=3, loss 4, fc params 5, fc data 6, relu 7, conv params 8, conv data 9, end 10.
    let lives: Vec<_> = plan.buffers.iter().map(|b| (b.purpose, b.first, b.last, b.offset)).collect();
    assert_eq!(
        lives,
        [
            (Purpose::Value(0), 0, 8, 0),
            (Purpose::Value(1), 1, 7, 16),
            (Purpose::Value(3), 3, 10, 48),
            (Purpose::Gradient(3), 4, 6, 64),
            (Purpose::Gradient(2), 6, 9, 80),
            (Purpose::Gradient(0), 9, 10, 64), // where the output's gradient was: 0..48 is free too, but larger
            (Purpose::Scratch(0), 9, 9, 0),
        ]
    );
    assert_eq!((plan.per_sample, plan.fixed), (112, 32));
}

#[test]
fn statistics_stand_behind_the_batch_and_scratch_is_shared() {
    let graph = residual();
    let plan = compile(&graph).train;
    let fixed = offsets(&plan, true);
    let stats: Vec<_> =
        fixed.iter().filter(|(p, _)| matches!(p, Purpose::Saved { .. })).map(|(_, r)| r.start).collect();
    assert_eq!(stats, [0, 16, 32, 48, 64, 80]);
    let scratch: Vec<_> = fixed.iter().filter(|(p, _)| matches!(p, Purpose::Scratch(_))).cloned().collect();
    // The last layer's statistics are dead when conv3 runs backwards, but 32 floats are too few for its 144.
    assert_eq!(
        scratch,
        [(Purpose::Scratch(6), 64..208), (Purpose::Scratch(3), 32..176), (Purpose::Scratch(0), 0..108),]
    );
    assert_eq!(plan.fixed, 208);
}

#[test]
fn an_argmax_takes_half_a_float() {
    let mut net = Builder::new(3, 5, 5);
    net.max_pool(0, 3, 1);
    let Compiled { tape, train: plan, .. } = compile(net.graph());
    assert_eq!(tape.saved, [Saved::Argmax]);
    assert_eq!(plan.buffers[plan.saved[0][0]].len, 14);
}

#[test]
fn the_output_outlives_the_backward_pass() {
    let graph = lenet5();
    let Compiled { tape, train: plan, .. } = compile(&graph);
    assert_eq!(plan.buffers[plan.value[11]].last, 11 + 2 + tape.steps.len());
}

#[test]
fn the_plans_stay_near_the_least_possible() {
    for graph in [lenet5(), residual()] {
        let Compiled { infer, train, .. } = compile(&graph);
        for plan in [infer, train] {
            let batch = plan.buffers.iter().filter(|buffer| !buffer.fixed);
            let spans: Vec<_> = batch.map(|b| Span { len: b.len, first: b.first, last: b.last }).collect();
            let least = alloc::lower_bound(&spans);
            assert!(plan.per_sample * 100 <= least * 110, "{} floats, {least} would do", plan.per_sample);
        }
    }
}

/// A random graph of so many channels that keeps the promises of the IR, one entry per layer.
fn grow(channels: usize, layers: &[(u8, usize, usize)]) -> Graph {
    let mut net = Builder::new(3, 6, 5);
    let mut values = vec![net.conv(0, channels, 1, 1, 0, 1)];
    for &(kind, a, b) in layers {
        let x = values[values.len() - 1 - a % values.len().min(3)];
        let y = values[b % values.len()];
        values.push(match kind {
            0 => net.conv(x, channels, 3, 1, 1, 1),
            1 => net.relu(x),
            2 => net.act(x, Act::Gelu),
            3 => net.bn(x),
            4 => net.same(Op::Dropout { rate: 0.25 }, x),
            5 => net.same(Op::Lrn { size: 3, alpha: 1e-4, beta: 0.75, k: 2.0 }, x),
            6 => net.same(Op::Softmax { log: false }, x),
            7 => net.max_pool(x, 1, 1),
            8 => net.add(&[x, x]),
            _ => net.add(&[x, y]),
        });
    }
    // The IR promises that every value reaches the output.
    let outputs: Vec<_> = values.into_iter().map(|value| net.conv(value, 3, 1, 1, 0, 1)).collect();
    net.concat(&outputs);
    net.graph().clone()
}

proptest! {
    #[test]
    fn no_two_live_buffers_of_a_network_overlap(
        layers in prop::collection::vec((0_u8..11, any::<usize>(), any::<usize>()), 1..40)
    ) {
        let graph = grow(3, &layers);
        let Compiled { infer, train, .. } = compile(&graph);
        for plan in [infer, train] {
            for (index, a) in plan.buffers.iter().enumerate() {
                prop_assert!(a.first <= a.last, "{a:?}");
                for b in plan.buffers[..index].iter().filter(|b| a.fixed == b.fixed) {
                    let together = a.first <= b.last && b.first <= a.last;
                    let apart = a.offset + a.len <= b.offset || b.offset + b.len <= a.offset;
                    prop_assert!(!together || apart, "{a:?} and {b:?}");
                }
            }
        }
    }

    #[test]
    fn values_that_share_a_buffer_share_an_order(
        layers in prop::collection::vec((0_u8..11, any::<usize>(), any::<usize>()), 1..40)
    ) {
        let graph = grow(32, &layers);
        let Compiled { orders, infer, train, .. } = compile(&graph);
        for plan in [infer, train] {
            for (value, &buffer) in plan.value.iter().enumerate() {
                let Purpose::Value(first) = plan.buffers[buffer].purpose else { unreachable!("a value's buffer") };
                prop_assert_eq!(orders[value], orders[first], "{} and {}", value, first);
            }
        }
    }
}
