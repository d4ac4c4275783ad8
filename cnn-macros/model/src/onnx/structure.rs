//! From a graph of layers to chains with branches, as the language writes networks.
//!
//! A join's branches begin at its immediate dominator: the last value that everything on the way to the join passes
//! through (Cooper, Harvey and Kennedy 2001, "A Simple, Fast Dominance Algorithm"; in a graph without cycles one pass
//! finds them). What several branches read is written in the first one, and named.

use std::collections::HashSet;

use super::net::{Net, ValueId};

/// Chains nest at most so deep in the language.
const DEEPEST: usize = 60;

/// Layers one after the other.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chain {
    /// The value it begins with, unless that is the one that stands before it.
    pub start: Option<ValueId>,
    /// The layers.
    pub steps: Vec<Step>,
}

/// A layer of a chain.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// What it makes.
    pub value: ValueId,
    /// The chains that it joins; none if it has one input.
    pub branches: Vec<Chain>,
}

/// The chain that makes `output` of the network's input.
pub(super) fn chain(net: &Net, output: ValueId) -> Result<Chain, String> {
    let mut builder = Builder { net, dominators: dominators(net), written: HashSet::new() };
    builder.chain(output, 0, 0)
}

struct Builder<'n> {
    net: &'n Net,
    dominators: Vec<ValueId>,
    /// The values that chains so far make.
    written: HashSet<ValueId>,
}

/// Of each value, the last one before it that everything on its way passes through; 0 of the input itself.
fn dominators(net: &Net) -> Vec<ValueId> {
    // Each value has a dominator further up, too, as far as Myers (1983, "An Applicative Random-Access Stack") jumps: the
    // way from a join to its dominator is long, and many joins can have it.
    let (mut dominators, mut jumps, mut depths) = (vec![0], vec![0], vec![0_usize]);
    for layer in &net.layers {
        let common = |mut a: ValueId, mut b: ValueId| {
            while depths[a] != depths[b] {
                let (deeper, depth) = if depths[a] > depths[b] { (&mut a, depths[b]) } else { (&mut b, depths[a]) };
                *deeper = if depths[jumps[*deeper]] < depth { dominators[*deeper] } else { jumps[*deeper] };
            }
            // How far a value jumps depends on its depth only.
            while a != b {
                let way = if jumps[a] == jumps[b] { &dominators } else { &jumps };
                (a, b) = (way[a], way[b]);
            }
            a
        };
        let dominator = layer.inputs.iter().copied().reduce(common).unwrap_or(0);
        let jump: ValueId = jumps[dominator];
        let as_far_again = depths[dominator] - depths[jump] == depths[jump] - depths[jumps[jump]];
        jumps.push(if as_far_again { jumps[jump] } else { dominator });
        depths.push(depths[dominator] + 1);
        dominators.push(dominator);
    }
    dominators
}

impl Builder<'_> {
    /// The chain that makes `value` where `current` stands before it.
    fn chain(&mut self, value: ValueId, current: ValueId, depth: usize) -> Result<Chain, String> {
        if depth > DEEPEST {
            return Err(format!("its branches nest deeper than {DEEPEST}"));
        }
        let mut values = Vec::new();
        let mut at = value;
        while at != current && !self.written.contains(&at) {
            values.push(at);
            at = self.dominators[at];
        }
        let start = (at != current).then_some(at);
        let (mut steps, mut before) = (Vec::with_capacity(values.len()), at);
        for value in values.into_iter().rev() {
            let inputs = &self.net.layers[value - 1].inputs;
            let branches = match inputs[..] {
                [_] => Vec::new(),
                _ => inputs.iter().map(|&input| self.chain(input, before, depth + 1)).collect::<Result<_, _>>()?,
            };
            self.written.insert(value);
            steps.push(Step { value, branches });
            before = value;
        }
        Ok(Chain { start, steps })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::net::Shape;

    /// A network whose layers read these values.
    fn net(inputs: &[&[ValueId]]) -> Net {
        let mut net = Net::new(Shape::Map([1, 1, 1]), Default::default());
        for inputs in inputs {
            net.add("add", vec![], inputs.to_vec(), Shape::Map([1, 1, 1]));
        }
        net
    }

    /// Values as numbers, branches in brackets, `.` for the current value.
    fn text(chain: &Chain) -> String {
        let start = chain.start.map(|value| format!("@{value}"));
        let steps = chain.steps.iter().map(|step| {
            let branches: Vec<String> = step.branches.iter().map(text).collect();
            if branches.is_empty() { step.value.to_string() } else { format!("{}[{}]", step.value, branches.join(" ")) }
        });
        let parts: Vec<String> = start.into_iter().chain(steps).collect();
        if parts.is_empty() { ".".into() } else { parts.join("-") }
    }

    fn written(inputs: &[&[ValueId]]) -> String {
        text(&chain(&net(inputs), inputs.len()).unwrap())
    }

    #[test]
    fn chains_stay_chains() {
        assert_eq!(written(&[&[0], &[1], &[2]]), "1-2-3");
    }

    #[test]
    fn branches_begin_where_they_part() {
        assert_eq!(written(&[&[0], &[1], &[2], &[3, 1]]), "1-4[2-3 .]");
        assert_eq!(written(&[&[0], &[0], &[1, 2], &[3]]), "3[1 2]-4");
    }

    #[test]
    fn what_several_branches_read_is_written_once() {
        // 2 is read by both inputs of 5, and does not dominate it: 1 reaches it, too.
        assert_eq!(written(&[&[0], &[1], &[2], &[2, 1], &[3, 4]]), "1-5[2-3 4[@2 .]]");
        // As in dense blocks: each layer reads all before it.
        assert_eq!(written(&[&[0], &[0, 1], &[2], &[0, 1, 3]]), "4[. 1 2[. @1]-3]");
    }

    #[test]
    fn layers_that_lead_nowhere_are_left_out() {
        let net = net(&[&[0], &[1], &[1]]);
        assert_eq!(text(&chain(&net, 3).unwrap()), "1-3");
    }

    #[test]
    fn dominators_are_what_every_way_passes_through() {
        let mut random = crate::onnx::tests::random();
        for _ in 0..200 {
            // Long chains with a join now and then, mostly of values that are near.
            let inputs: Vec<Vec<ValueId>> = (0..60)
                .map(|last| match random(3) {
                    0 => vec![last, last - random(last.min(20) + 1), last - random(last + 1)],
                    _ => vec![last - random(last.min(2) + 1)],
                })
                .collect();
            // What is on every way to a value, itself among it.
            let mut on_all: Vec<HashSet<ValueId>> = vec![HashSet::from([0])];
            for inputs in &inputs {
                let common = inputs.iter().map(|&input| on_all[input].clone()).reduce(|a, b| &a & &b);
                let own = on_all.len();
                on_all.push(common.into_iter().flatten().chain([own]).collect());
            }
            let expected = on_all.iter().enumerate().map(|(value, all)| all.iter().filter(|&&at| at < value).max());
            let expected: Vec<ValueId> = expected.map(|last| last.copied().unwrap_or(0)).collect();
            let inputs: Vec<&[ValueId]> = inputs.iter().map(|inputs| &inputs[..]).collect();
            assert_eq!(dominators(&net(&inputs)), expected, "{inputs:?}");
        }
    }

    #[test]
    fn long_ways_to_a_dominator_are_not_walked() {
        const LONG: usize = 200_000;
        // A chain, whose end many joins read together with its beginning.
        let ways = (0..LONG).map(|value| vec![value]).chain(std::iter::repeat_n(vec![LONG, 1], LONG));
        let ways: Vec<Vec<ValueId>> = ways.collect();
        let ways: Vec<&[ValueId]> = ways.iter().map(|inputs| &inputs[..]).collect();
        assert!(dominators(&net(&ways))[LONG + 1..].iter().all(|&dominator| dominator == 1));
    }

    #[test]
    fn deep_nests_are_refused() {
        // Each join reads the one before it and the input.
        let inputs: Vec<[ValueId; 2]> = (0..100).map(|value| [value, 0]).collect();
        let inputs: Vec<&[ValueId]> = inputs.iter().map(|inputs| &inputs[..]).collect();
        assert!(chain(&net(&inputs), 100).unwrap_err().contains("nest deeper"));
    }
}
