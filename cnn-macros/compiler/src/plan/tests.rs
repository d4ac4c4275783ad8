use proptest::prelude::*;

use super::*;
use crate::backward::{GradId, Saved, Step, Task, Write};
use crate::compile::{Compiled, compile};
use crate::ir::{Act, Arith, Op, Resample, Window};
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
    let mut net = Builder::new(3, 6, 6);
    let window = Window { kernel: [1; 2], stride: [1; 2], dilation: [1; 2], pad: [0; 4] };
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
            8 => net.same(Op::AvgPool { window, counted: [0; 4] }, x),
            9 => net.same(Op::Reshape, x),
            10 => net.push(Op::Arith(Arith::Mul), &[x, y], net.graph().shape(x)),
            11 => net.push(Op::Arith(Arith::Sub), &[x, y], net.graph().shape(x)),
            12 => {
                let both = net.concat(&[x, y]);
                net.conv(both, channels, 1, 1, 0, 1)
            }
            13 => {
                let half = net.conv(x, channels, 2, 2, 0, 1);
                let op = Op::Upsample { scale: [2; 2], resample: Resample::Nearest };
                net.push(op, &[half], net.graph().shape(x))
            }
            14 => net.add(&[x, x]),
            _ => net.add(&[x, y]),
        });
    }
    // The IR promises that every value reaches the output.
    let is_read = |value: &ValueId| net.graph().nodes.iter().any(|node| node.inputs.contains(value));
    values.retain(|value| !is_read(value));
    let outputs: Vec<_> = values.into_iter().map(|value| net.conv(value, 3, 1, 1, 0, 1)).collect();
    if outputs.len() > 1 {
        net.concat(&outputs);
    }
    net.graph().clone()
}

/// Layers for [`grow`].
fn layers() -> impl Strategy<Value = Vec<(u8, usize, usize)>> {
    prop::collection::vec((0_u8..18, any::<usize>(), any::<usize>()), 1..40)
}

/// The value that a node's step writes: its own, or that of the last node which is fused into it.
fn written(plan: &Plan, node: usize) -> ValueId {
    plan.fusions.owner.iter().rposition(|&owner| owner == node).map_or(node, |last| last) + 1
}

/// What a buffer holds: the value under its aliases, or `None` for a buffer that only ever holds one thing.
type Held = (BufferId, Option<ValueId>);

/// An arena in which steps write and read, as they are emitted: it knows nothing of when a buffer is meant to be live.
struct Arena<'a> {
    graph: &'a Graph,
    plan: &'a Plan,
    roots: Vec<ValueId>,
    holds: Vec<Held>,
}

impl<'a> Arena<'a> {
    fn new(graph: &'a Graph, plan: &'a Plan, mode: Mode) -> Self {
        let roots = graph.roots(|op| op == Op::Reshape || mode == Mode::Inference && matches!(op, Op::Dropout { .. }));
        Arena { graph, plan, roots, holds: Vec::new() }
    }

    fn value(&self, value: ValueId) -> Held {
        (self.plan.value[value], Some(self.roots[value]))
    }

    /// What is read has to stand there still, and so has all of it, unless it is replaced in its own buffer, and what is
    /// written, when the step is over.
    fn step(&mut self, reads: &[Held], writes: &[Held]) {
        let stands = |arena: &Self, held: &Held| assert!(arena.holds.contains(held), "{held:?} is gone");
        reads.iter().for_each(|read| stands(self, read));
        for &(buffer, what) in writes {
            let (buffers, new) = (&self.plan.buffers, &self.plan.buffers[buffer]);
            self.holds.retain(|&(old, _)| {
                let old = &buffers[old];
                old.fixed != new.fixed || old.offset + old.len <= new.offset || new.offset + new.len <= old.offset
            });
            self.holds.push((buffer, what));
        }
        let kept = reads.iter().filter(|read| writes.iter().all(|write| write.0 != read.0));
        kept.chain(writes).for_each(|held| stands(self, held));
    }

    fn forward(&mut self) {
        let plan = self.plan;
        self.step(&[], &[self.value(0)]);
        for (index, node) in self.graph.nodes.iter().enumerate() {
            let residual = plan.fusions.of.get(&index).and_then(|fusion| fusion.residual);
            let reads = node.inputs.iter().copied().chain(residual);
            let reads: Vec<Held> = reads.map(|value| self.value(value)).collect();
            let output = self.value(written(plan, index));
            match plan.exec[index] {
                Exec::Alias | Exec::Fused => continue,
                Exec::InPlace(input) => assert_eq!(output.0, reads[input].0),
                Exec::Fresh => assert!(reads.iter().all(|read| read.0 != output.0)),
            }
            let beside = plan.saved[index].iter().chain(&plan.forward_scratch[index]).map(|&buffer| (buffer, None));
            self.step(&reads, &beside.chain([output]).collect::<Vec<_>>());
        }
        self.step(&[self.value(self.graph.nodes.len())], &[]);
    }

    fn backward(&mut self, tape: &Tape) {
        let plan = self.plan;
        let output = self.value(self.graph.nodes.len());
        let gradient = |gradient: GradId| (plan.gradients[gradient], None);
        self.step(&[output], &[gradient(tape.d_output)]);
        for (index, &Step { node, task, .. }) in tape.steps.iter().enumerate() {
            let (reads, writes) = match task {
                Task::Params { d_output } => (vec![d_output], vec![]),
                Task::Data { d_output: from, d_input: to, write, .. } | Task::Copy { from, to, write } => match write {
                    Write::Set => (vec![from], vec![to]),
                    Write::Add => (vec![from, to], vec![to]),
                },
                Task::Activated { d_output, d_input, .. } => (vec![d_output], vec![d_output, d_input]),
                Task::InPlace { d } => (vec![d], vec![d]),
            };
            let [mut reads, mut writes] = [reads, writes].map(|ids| ids.into_iter().map(gradient).collect::<Vec<_>>());
            let weighted =
                matches!(self.graph.nodes[node].op, Op::Conv { .. } | Op::ConvTranspose { .. } | Op::Fc { .. });
            match task {
                Task::Copy { .. } => {}
                Task::Data { .. } if weighted => {}
                _ => reads.extend(tape.saved[node].values(self.graph, node).map(|value| self.value(value))),
            }
            if !matches!(task, Task::Copy { .. }) {
                reads.extend(plan.saved[node].iter().map(|&buffer| (buffer, None)));
            }
            writes.extend(plan.scratch[index].map(|buffer| (buffer, None)));
            self.step(&reads, &writes);
        }
        self.step(&[output, gradient(tape.d_input)], &[]);
    }
}

#[test]
fn what_grows_shares_its_buffers() {
    let graph = grow(3, &[(1, 0, 0), (7, 0, 0), (3, 0, 0), (1, 0, 0), (15, 0, 2), (0, 0, 0), (1, 0, 0)]);
    let Compiled { tape, infer, train, .. } = compile(&graph);
    for plan in [&infer, &train] {
        assert!(plan.exec.iter().any(|exec| matches!(exec, Exec::InPlace(_))), "{:?}", plan.exec);
        assert!(plan.exec.contains(&Exec::Fused), "{:?}", plan.exec);
    }
    assert!(tape.steps.iter().any(|step| matches!(step.task, Task::InPlace { .. })), "{:?}", tape.steps);
    assert!(tape.steps.iter().any(|step| matches!(step.task, Task::Activated { .. })), "{:?}", tape.steps);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_still_stands(channels in prop::sample::select(&[3_usize, 32]), layers in layers()) {
        let graph = grow(channels, &layers);
        let Compiled { tape, infer, train, .. } = compile(&graph);
        Arena::new(&graph, &infer, Mode::Inference).forward();
        let mut arena = Arena::new(&graph, &train, Mode::Training);
        arena.forward();
        arena.backward(&tape);
    }

    #[test]
    fn no_two_live_buffers_of_a_network_overlap(layers in layers()) {
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
    fn values_that_share_a_buffer_share_an_order(channels in prop::sample::select(&[3_usize, 32]), layers in layers()) {
        let graph = grow(channels, &layers);
        let Compiled { orders, infer, train, .. } = compile(&graph);
        for plan in [infer, train] {
            // A value that a fused layer takes is never written.
            let stands = |value: &ValueId| *value == 0 || written(&plan, plan.fusions.owner[value - 1]) == *value;
            for value in (0..plan.value.len()).filter(stands) {
                let Purpose::Value(first) = plan.buffers[plan.value[value]].purpose else {
                    unreachable!("a value's buffer")
                };
                prop_assert_eq!(orders[value], orders[first], "{} and {}", value, first);
            }
        }
    }
}
