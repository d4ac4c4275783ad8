use super::*;
use crate::testing::{Builder, lenet5, residual};

fn text(tape: &Tape, graph: &Graph) -> Vec<String> {
    let gradient = |d: GradId| format!("d{d}");
    let line = |step: &Step| {
        let name = &graph.nodes[step.node].name;
        let demand = if step.on_demand { " on demand" } else { "" };
        let task = match step.task {
            Task::Params { d_output } => format!("params {}", gradient(d_output)),
            Task::Data { input, d_output, d_input, write } => {
                format!("data[{input}] {} -> {} {write:?}", gradient(d_output), gradient(d_input))
            }
            Task::Activated { act, d_output, d_input } => {
                format!("with {} {} -> {}", graph.nodes[act].name, gradient(d_output), gradient(d_input))
            }
            Task::InPlace { d } => format!("in place {}", gradient(d)),
            Task::Copy { from, to, write } => format!("copy {} -> {} {write:?}", gradient(from), gradient(to)),
        };
        format!("{name}: {task}{demand}")
    };
    tape.steps.iter().map(line).collect()
}

#[test]
fn a_chain_runs_backwards_and_asks_for_the_input_last() {
    let graph = lenet5();
    let tape = differentiate(&graph);
    let steps = text(&tape, &graph);
    assert_eq!(steps[..3], ["fc3: params d0", "fc3: data[0] d0 -> d1 Set", "act4: in place d1"]);
    assert_eq!(
        steps[steps.len() - 3..],
        ["pool1: with act1 d5 -> d6", "conv1: params d6", "conv1: data[0] d6 -> d7 Set on demand"]
    );
    assert_eq!((tape.d_output, tape.d_input), (0, 7));
    assert_eq!(tape.saved[..3], [Saved::Input, Saved::Nothing, Saved::ArgmaxAndOutput]);
}

#[test]
fn a_residual_block_shares_its_gradient_until_the_skip_is_added_to() {
    let graph = residual();
    let tape = differentiate(&graph);
    assert_eq!(
        text(&tape, &graph)[2..],
        [
            "act3: in place d1",
            // add1 hands d1 to both branches: bn3 reads it before conv2 adds to it.
            "bn3: data[0] d1 -> d2 Set",
            "conv3: params d2",
            "conv3: data[0] d2 -> d3 Set",
            "act2: in place d3",
            "bn2: data[0] d3 -> d4 Set",
            "conv2: params d4",
            "conv2: data[0] d4 -> d1 Add",
            "act1: in place d1",
            "bn1: data[0] d1 -> d5 Set",
            "conv1: params d5",
            "conv1: data[0] d5 -> d6 Set on demand",
        ]
    );
}

#[test]
fn an_activation_leaves_a_shared_gradient_alone() {
    let mut net = Builder::new(2, 3, 5);
    let x = net.conv(0, 2, 1, 1, 0, 1);
    let left = net.relu(x);
    let right = net.act(x, Act::Tanh);
    net.add(&[left, right]);
    let tape = differentiate(net.graph());
    assert_eq!(text(&tape, net.graph())[..2], ["act2: data[0] d0 -> d1 Set", "act1: data[0] d0 -> d1 Add"]);
}

#[test]
fn a_shared_gradient_is_copied_before_it_changes() {
    let mut net = Builder::new(2, 3, 5);
    let x = net.bn(0);
    let y = net.conv(x, 2, 1, 1, 0, 1);
    net.add(&[x, y]);
    let tape = differentiate(net.graph());
    assert_eq!(
        text(&tape, net.graph())[..3],
        ["conv1: params d0", "conv1: copy d0 -> d1 Set", "conv1: data[0] d0 -> d1 Add"]
    );
}

#[test]
fn a_value_added_to_itself_counts_twice() {
    let mut net = Builder::new(2, 3, 5);
    let x = net.conv(0, 2, 1, 1, 0, 1);
    net.add(&[x, x]);
    let tape = differentiate(net.graph());
    assert_eq!(
        text(&tape, net.graph())[..3],
        ["add1: copy d0 -> d1 Set", "add1: copy d0 -> d1 Add", "conv1: params d1"]
    );
}

#[test]
fn nothing_before_the_first_parameter_runs_unasked() {
    let mut net = Builder::new(2, 4, 4);
    let x = net.relu(0);
    let x = net.max_pool(x, 2, 2);
    net.fc(x, 3);
    let tape = differentiate(net.graph());
    let asked: Vec<_> = tape.steps.iter().map(|step| step.on_demand).collect();
    assert_eq!(asked, [false, true, true]);
}

#[test]
fn a_pool_leaves_an_activation_alone_that_others_read_or_that_keeps_its_input() {
    let found = |read_twice: bool, act: Act| {
        let mut net = Builder::new(2, 4, 4);
        let x = net.conv(0, 3, 3, 1, 1, 1);
        let x = net.act(x, act);
        let pooled = net.max_pool(x, 1, 1);
        net.add(&[pooled, if read_twice { x } else { pooled }]);
        let tape = differentiate(net.graph());
        let alone = !tape.steps.iter().any(|step| matches!(step.task, Task::Activated { .. }));
        assert_eq!(alone, tape.saved[1] != Saved::Nothing);
        alone
    };
    assert!(!found(false, Act::Tanh));
    assert!(found(false, Act::Gelu));
    assert!(found(true, Act::Tanh));
}

#[test]
fn batch_norm_on_the_input_has_parameters_of_its_own() {
    let mut net = Builder::new(2, 4, 4);
    net.bn(0);
    let tape = differentiate(net.graph());
    assert!(!tape.steps[0].on_demand);
}

#[test]
fn a_flattened_value_shares_the_gradient_of_its_map() {
    let mut net = Builder::new(2, 4, 4);
    let x = net.conv(0, 3, 3, 1, 0, 1);
    let x = net.flatten(x);
    net.flatten(x);
    let tape = differentiate(net.graph());
    assert_eq!(text(&tape, net.graph()), ["conv1: params d0", "conv1: data[0] d0 -> d1 Set on demand"]);
    assert_eq!(tape.gradients[tape.d_output], 1);
}

#[test]
fn activations_without_an_inverse_keep_their_input() {
    let kept = |act| saved(Op::Act(act));
    assert_eq!(kept(Act::LeakyRelu(0.01)), Saved::Output);
    assert_eq!(kept(Act::LeakyRelu(-0.5)), Saved::Input);
    assert_eq!(kept(Act::Elu(0.0)), Saved::Input);
    assert_eq!(kept(Act::Gelu), Saved::Input);
}
