//! When each buffer is live.
//!
//! Steps are counted from 0, where the input is written; node `i` runs forward at step `i + 1`. In training the loss
//! reads the output and writes its gradient at step `nodes + 1`; then come the steps of the tape.

use crate::backward::{Saved, Tape, Task};
use crate::ir::{Graph, Op};

use super::storage::{BufferId, Exec, Storage};
use super::{Buffer, Plan, Purpose};

/// Collects the buffers of the inference plan.
pub fn inference(graph: &Graph, storage: Storage) -> Plan {
    let mut lives = Lives::new(graph, storage);
    lives.forward(graph);
    let end = graph.nodes.len() + 1;
    lives.read(lives.plan.value[graph.nodes.len()], end);
    lives.plan
}

/// Collects the buffers of the training plan.
pub fn training(graph: &Graph, storage: Storage, tape: &Tape) -> Plan {
    let mut lives = Lives::new(graph, storage);
    lives.forward(graph);
    lives.save(graph, tape);
    lives.gradients(graph, tape);
    let loss = graph.nodes.len() + 1;
    for (index, step) in tape.steps.iter().enumerate() {
        lives.step(graph, tape, loss + 1 + index, step.node, step.task);
    }
    // The caller may look at the output, and at the gradient of the input, after the whole pass.
    let end = loss + 1 + tape.steps.len();
    lives.read(lives.plan.value[graph.nodes.len()], end);
    lives.read(lives.plan.gradients[tape.d_output], loss);
    lives.read(lives.plan.gradients[tape.d_input], end);
    lives.plan
}

struct Lives {
    plan: Plan,
}

impl Lives {
    fn new(graph: &Graph, storage: Storage) -> Self {
        let make = |&value: &usize| Buffer::new(Purpose::Value(value), graph.shape(value).len(), false, value);
        let plan = Plan {
            buffers: storage.made_for.iter().map(make).collect(),
            value: storage.buffer,
            exec: storage.exec,
            fusions: storage.fusions,
            saved: vec![Vec::new(); graph.nodes.len()],
            forward_scratch: vec![None; graph.nodes.len()],
            ..Plan::default()
        };
        Lives { plan }
    }

    fn read(&mut self, buffer: BufferId, at: usize) {
        let buffer = &mut self.plan.buffers[buffer];
        buffer.last = buffer.last.max(at);
    }

    fn write(&mut self, buffer: BufferId, at: usize) {
        let first = self.plan.buffers[buffer].first;
        self.plan.buffers[buffer].first = first.min(at);
        self.read(buffer, at);
    }

    fn add(&mut self, buffer: Buffer) -> BufferId {
        self.plan.buffers.push(buffer);
        self.plan.buffers.len() - 1
    }

    fn forward(&mut self, graph: &Graph) {
        for (index, node) in graph.nodes.iter().enumerate() {
            if matches!(self.plan.exec[index], Exec::Alias | Exec::Fused) {
                continue;
            }
            let residual = self.plan.fusions.of.get(&index).and_then(|fusion| fusion.residual);
            for input in node.inputs.iter().copied().chain(residual) {
                self.read(self.plan.value[input], index + 1);
            }
            self.write(self.plan.value[index + 1], index + 1);
            if matches!(node.op, Op::ConvTranspose { .. }) {
                let buffer = Buffer::new(Purpose::Scratch(index), weights(graph, index), true, index + 1);
                self.plan.forward_scratch[index] = Some(self.add(buffer));
            }
        }
    }

    /// Adds what nodes keep beside values. An argmax needs half a float.
    fn save(&mut self, graph: &Graph, tape: &Tape) {
        for (index, node) in graph.nodes.iter().enumerate() {
            let (len, channels) = (node.output.len(), node.output.to_map().c);
            let purpose = |part| Purpose::Saved { node: index, part };
            let buffers = match tape.saved[index] {
                Saved::Nothing | Saved::Input | Saved::Inputs | Saved::Output => Vec::new(),
                Saved::Argmax | Saved::ArgmaxAndOutput => {
                    vec![Buffer::new(purpose("argmax"), len.div_ceil(2), false, index + 1)]
                }
                Saved::Stats => {
                    ["mean", "inv_std"].map(|part| Buffer::new(purpose(part), channels, true, index + 1)).to_vec()
                }
                Saved::Scale => vec![Buffer::new(purpose("scale"), len, false, index + 1)],
            };
            self.plan.saved[index] = buffers.into_iter().map(|buffer| self.add(buffer)).collect();
        }
    }

    fn gradients(&mut self, graph: &Graph, tape: &Tape) {
        let loss = graph.nodes.len() + 1;
        // Born at the end of time; the first step that writes a gradient brings its birth forward.
        let end = loss + 1 + tape.steps.len();
        for (gradient, &value) in tape.gradients.iter().enumerate() {
            let birth = if gradient == tape.d_output { loss } else { end };
            let mut buffer = Buffer::new(Purpose::Gradient(value), graph.shape(value).len(), false, birth);
            buffer.last = 0;
            let id = self.add(buffer);
            self.plan.gradients.push(id);
        }
        self.plan.scratch = vec![None; tape.steps.len()];
    }

    fn step(&mut self, graph: &Graph, tape: &Tape, at: usize, node: usize, task: Task) {
        let (first, second) = task.gradients();
        for gradient in [Some(first), second].into_iter().flatten() {
            self.write(self.plan.gradients[gradient], at);
        }
        for part in 0..self.plan.saved[node].len() {
            self.read(self.plan.saved[node][part], at);
        }
        if matches!(task, Task::Copy { .. }) {
            return;
        }
        let is_data = matches!(task, Task::Data { .. });
        match graph.nodes[node].op {
            Op::Conv { .. } if is_data => {
                let len = weights(graph, node);
                let buffer = Buffer::new(Purpose::Scratch(node), len, true, at);
                let index = at - graph.nodes.len() - 2;
                self.plan.scratch[index] = Some(self.add(buffer));
            }
            // The gradient by what they read follows from their weights.
            Op::ConvTranspose { .. } | Op::Fc { .. } if is_data => {}
            _ => {
                for value in tape.saved[node].values(graph, node) {
                    self.read(self.plan.value[value], at);
                }
            }
        }
    }
}

/// Elements of a convolution's weights, as many as its way back borrows for a rearranged copy.
fn weights(graph: &Graph, node: usize) -> usize {
    let (Op::Conv { window, groups, .. } | Op::ConvTranspose { window, groups, .. }) = graph.nodes[node].op else {
        return 0;
    };
    let (ic, oc) = (graph.shape(graph.nodes[node].inputs[0]).to_map().c, graph.nodes[node].output.to_map().c);
    oc * (ic / groups) * window.kernel[0] * window.kernel[1]
}
