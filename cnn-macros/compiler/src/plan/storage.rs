//! Which values share a buffer: aliases that need no code, and layers that work in place.

use crate::backward::{Saved, saves_output};
use crate::ir::{Graph, Op, ValueId};

use super::fuse::{Fusions, fusions};
use super::order::Order;

/// Index of a buffer of a plan.
pub type BufferId = usize;

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Only the output counts.
    Inference,
    /// The backward pass reads what the nodes saved.
    Training,
}

/// How a node's forward step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exec {
    /// Not at all: its output is its input.
    Alias,
    /// By an earlier layer, as that writes its output.
    Fused,
    /// Into a buffer of its own.
    Fresh,
    /// In the buffer of one of its inputs, an index into the node's inputs.
    InPlace(usize),
}

/// The buffers of all values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// The buffer of each value.
    pub buffer: Vec<BufferId>,
    /// The value that each buffer was made for.
    pub made_for: Vec<ValueId>,
    /// How each node runs.
    pub exec: Vec<Exec>,
    /// What layers do to their output as they write it.
    pub fusions: Fusions,
}

/// Assigns a buffer to every value, which stand in these orders. `saved` says what each node keeps; it counts in training
/// only.
pub fn assign(graph: &Graph, orders: &[Order], mode: Mode, saved: &[Saved]) -> Storage {
    let fusions = fusions(graph, orders, mode);
    let roots = graph.roots(|op| is_alias(op, mode));
    let last_read = last_reads(graph, &roots, &fusions);
    let kept = kept(graph, mode, saved, &roots);
    let owner = fusions.owner.clone();
    let mut storage = Storage { buffer: vec![0], made_for: vec![0], exec: Vec::new(), fusions };
    for (index, node) in graph.nodes.iter().enumerate() {
        let may_overwrite = |&input: &usize| {
            let root = roots[node.inputs[input]];
            last_read[root] == Some(index)
                && !kept[root]
                && node.inputs.iter().filter(|&&other| roots[other] == root).count() == 1
        };
        let exec = if owner[index] != index {
            Exec::Fused
        } else if is_alias(node.op, mode) {
            Exec::Alias
        } else if works_in_place(node.op, mode) {
            let may_overwrite = |input: &usize| {
                // An axis may be repeated.
                graph.shape(node.inputs[*input]).len() == node.output.len() && may_overwrite(input)
            };
            (0..node.inputs.len()).find(may_overwrite).map_or(Exec::Fresh, Exec::InPlace)
        } else {
            Exec::Fresh
        };
        storage.buffer.push(match exec {
            Exec::Alias => storage.buffer[node.inputs[0]],
            Exec::Fused => storage.buffer[owner[index] + 1],
            Exec::InPlace(input) => storage.buffer[node.inputs[input]],
            Exec::Fresh => storage.made_for.len(),
        });
        if exec == Exec::Fresh {
            // Where a pool is fused, no more than what it makes is written.
            let pool = storage.fusions.of.get(&index).and_then(|fusion| fusion.pool);
            storage.made_for.push(pool.unwrap_or(index) + 1);
        }
        storage.exec.push(exec);
    }
    storage
}

fn is_alias(op: Op, mode: Mode) -> bool {
    match op {
        Op::Reshape => true,
        Op::Dropout { .. } => mode == Mode::Inference,
        _ => false,
    }
}

fn works_in_place(op: Op, mode: Mode) -> bool {
    match op {
        Op::Add | Op::Arith(_) | Op::Trained { .. } | Op::Dropout { .. } => true,
        Op::Act(act) => mode == Mode::Inference || saves_output(act),
        Op::BatchNorm { .. } => mode == Mode::Inference,
        _ => false,
    }
}

/// The last node that reads each root, where a fused node reads with the one that does its work.
fn last_reads(graph: &Graph, roots: &[ValueId], fusions: &Fusions) -> Vec<Option<usize>> {
    let mut last = vec![None; roots.len()];
    for (index, node) in graph.nodes.iter().enumerate() {
        if roots[index + 1] == index + 1 {
            for &input in &node.inputs {
                last[roots[input]] = last[roots[input]].max(Some(fusions.owner[index]));
            }
        }
    }
    last
}

/// Which roots are read after the forward pass: the output, and in training what the nodes saved.
fn kept(graph: &Graph, mode: Mode, saved: &[Saved], roots: &[ValueId]) -> Vec<bool> {
    let mut kept = vec![false; roots.len()];
    kept[roots[graph.nodes.len()]] = true;
    if mode == Mode::Training {
        for (node, saved) in saved.iter().enumerate() {
            saved.values(graph, node).for_each(|value| kept[roots[value]] = true);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backward::differentiate;
    use crate::ir::Act;
    use crate::plan::order::orders;
    use crate::testing::{Builder, residual};

    fn exec(graph: &Graph, mode: Mode) -> Vec<Exec> {
        assign(graph, &orders(graph), mode, &differentiate(graph).saved).exec
    }

    #[test]
    fn inference_works_in_place_wherever_a_value_dies() {
        use Exec::{Fresh, Fused, InPlace};
        let unit = [Fresh, Fused, Fused];
        assert_eq!(exec(&residual(), Mode::Inference), [&unit[..], &unit, &unit, &[Fused, Fresh]].concat());
        let mut net = Builder::new(3, 8, 8);
        let pool = net.max_pool(0, 2, 2);
        let x = net.bn(pool);
        let x = net.relu(x);
        net.add(&[x, pool]);
        // The pooled map is still needed by the sum, which goes into the activated one.
        assert_eq!(exec(net.graph(), Mode::Inference), [Fresh, Fresh, InPlace(0), InPlace(0)]);
    }

    #[test]
    fn training_keeps_what_the_backward_pass_reads() {
        use Exec::{Fresh, InPlace};
        let exec = exec(&residual(), Mode::Training);
        let expected = [
            Fresh,      // conv1
            Fresh,      // bn1 saves its input
            InPlace(0), // act1 saves its output
            Fresh,      // conv2
            Fresh,      // bn2
            InPlace(0), // act2
            Fresh,      // conv3
            Fresh,      // bn3
            InPlace(0), // add1 into bn3's output: the skip is conv2's saved input
            InPlace(0), // act3
            Fresh,      // fc1
        ];
        assert_eq!(exec, expected);
    }

    #[test]
    fn dropout_is_an_alias_at_inference_and_a_layer_in_training() {
        let mut net = Builder::new(3, 2, 2);
        let x = net.fc(0, 7);
        let x = net.same(Op::Dropout { rate: 0.5 }, x);
        net.fc(x, 5);
        assert_eq!(exec(net.graph(), Mode::Inference), [Exec::Fresh, Exec::Alias, Exec::Fresh]);
        assert_eq!(exec(net.graph(), Mode::Training), [Exec::Fresh, Exec::InPlace(0), Exec::Fresh]);
    }

    #[test]
    fn an_activation_that_saves_its_input_has_a_buffer_of_its_own_in_training() {
        let mut net = Builder::new(3, 2, 2);
        let x = net.fc(0, 7);
        net.act(x, Act::Gelu);
        assert_eq!(exec(net.graph(), Mode::Inference), [Exec::Fresh, Exec::InPlace(0)]);
        assert_eq!(exec(net.graph(), Mode::Training), [Exec::Fresh, Exec::Fresh]);
    }

    #[test]
    fn a_value_added_to_itself_is_not_overwritten_while_it_is_read() {
        let mut net = Builder::new(3, 2, 2);
        let x = net.conv(0, 3, 1, 1, 0, 1);
        let flat = net.flatten(x);
        net.add(&[flat, flat]);
        assert_eq!(exec(net.graph(), Mode::Inference), [Exec::Fresh, Exec::Alias, Exec::Fresh]);
    }

    #[test]
    fn a_value_that_an_alias_still_reads_is_not_overwritten() {
        let mut net = Builder::new(3, 2, 2);
        let x = net.fc(0, 7);
        let same = net.same(Op::Dropout { rate: 0.5 }, x);
        let y = net.relu(x);
        net.add(&[y, same]);
        assert_eq!(exec(net.graph(), Mode::Inference), [Exec::Fresh, Exec::Alias, Exec::Fresh, Exec::InPlace(0)]);
    }
}
