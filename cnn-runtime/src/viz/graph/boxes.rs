//! From layers to the boxes of a drawing: a layer with what only changes its values, and one box for repeated ones.

use crate::desc::LayerOp;
use crate::info::NetInfo;
use crate::viz::ink::Ink;

/// Fewest copies of a step that are drawn as one.
const REPEATED: usize = 3;
/// Most boxes of a step that is looked for.
const STEP: usize = 64;

/// A box: the input, or a layer with the layers after it that only change its values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Block {
    /// What it computes.
    pub text: String,
    /// What is then done to each value.
    pub then: String,
    /// More about it, for who asks.
    pub hint: String,
    pub ink: Ink,
    /// Indices of the boxes it reads.
    pub inputs: Vec<usize>,
    /// Shape of its output.
    pub shape: String,
    /// Trainable parameters of its first layer.
    pub params: usize,
}

/// Boxes that stand for several copies of themselves, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Repeat {
    /// The first box.
    pub first: usize,
    /// How many boxes.
    pub len: usize,
    /// How many copies.
    pub times: usize,
}

/// The boxes of a network, the input first, each after those it reads.
pub(super) fn blocks(info: &NetInfo) -> Vec<Block> {
    let mut readers = vec![0usize; info.layers.len()];
    for &input in info.layers.iter().flat_map(|layer| layer.inputs) {
        if let Some(count) = readers.get_mut(input) {
            *count += 1;
        }
    }
    let [c, h, w] = info.input;
    let shape = format!("{c}x{h}x{w}");
    let hint = format!("the input of {}", info.name);
    let text = format!("input {shape}");
    let mut blocks = vec![Block { text, then: String::new(), hint, ink: Ink::Other, inputs: vec![], shape, params: 0 }];
    // The box in which each layer's output is.
    let mut home = Vec::with_capacity(info.layers.len());
    for layer in info.layers {
        let word = layer.kind();
        let hint =
            format!("{}: {}, {} parameters, {} multiply-accumulates", layer.name, layer.text, layer.params, layer.macs);
        if let &[before] = layer.inputs
            && before < home.len()
            && readers[before] == 1
            && only_changes_values(layer.op)
        {
            let block: &mut Block = &mut blocks[home[before]];
            block.then += if block.then.is_empty() { "" } else { ", " };
            block.then += word;
            block.hint += &format!("\n{hint}");
            home.push(home[before]);
            continue;
        }
        let mut inputs: Vec<usize> = layer.inputs.iter().map(|&at| home.get(at).copied().unwrap_or(0)).collect();
        inputs.sort_unstable();
        inputs.dedup();
        let shape = layer.output.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
        blocks.push(Block {
            text: layer.text.to_owned(),
            then: String::new(),
            hint,
            ink: ink(layer.op),
            inputs,
            shape,
            params: layer.params,
        });
        home.push(blocks.len() - 1);
    }
    blocks
}

fn ink(op: LayerOp) -> Ink {
    match op {
        LayerOp::Conv(_) | LayerOp::ConvTranspose(_) => Ink::Conv,
        LayerOp::Fc(_) => Ink::Fc,
        LayerOp::MaxPool(_) | LayerOp::AvgPool(_) | LayerOp::Upsample(_) | LayerOp::Resize(_) => Ink::Pool,
        LayerOp::Add | LayerOp::Concat | LayerOp::Join(_) => Ink::Join,
        _ => Ink::Other,
    }
}

/// Whether a layer gives each value another without moving it. All operations are named: a new one has to be thought
/// of.
fn only_changes_values(op: LayerOp) -> bool {
    match op {
        LayerOp::Act(_) | LayerOp::Trained(_) | LayerOp::Softmax(_) => true,
        LayerOp::BatchNorm(_) | LayerOp::Lrn(_) | LayerOp::Dropout(_) => true,
        LayerOp::Conv(_) | LayerOp::ConvTranspose(_) | LayerOp::MaxPool(_) | LayerOp::AvgPool(_) => false,
        LayerOp::Fc(_) | LayerOp::Reshape | LayerOp::Expand(_) | LayerOp::Permute(_) => false,
        LayerOp::Add | LayerOp::Concat | LayerOp::Join(_) => false,
        LayerOp::Pad(_) | LayerOp::Upsample(_) | LayerOp::Resize(_) => false,
    }
}

/// Leaves one copy of every step that is repeated often, and says which.
pub(super) fn folded(mut blocks: Vec<Block>) -> (Vec<Block>, Vec<Repeat>) {
    let mut repeats = Vec::new();
    let mut first = 1;
    while first < blocks.len() {
        let best = (1..=STEP.min((blocks.len() - first) / REPEATED))
            .map(|len| Repeat { first, len, times: copies(&blocks, first, len) })
            .filter(|repeat| repeat.times >= REPEATED && is_step(&blocks, *repeat))
            .max_by_key(|repeat| (repeat.len * repeat.times, std::cmp::Reverse(repeat.len)));
        if let Some(repeat) = best {
            remove_copies(&mut blocks, repeat);
            repeats.push(repeat);
            first += repeat.len;
        } else {
            first += 1;
        }
    }
    (blocks, repeats)
}

/// How often the `len` boxes from `first` on stand there one after the other.
fn copies(blocks: &[Block], first: usize, len: usize) -> usize {
    let same = |a: usize, b: usize| {
        let (x, y) = (&blocks[a], &blocks[b]);
        let inputs = x.inputs.iter().map(|at| a - at).eq(y.inputs.iter().map(|at| b - at));
        inputs && x.text == y.text && x.then == y.then && x.shape == y.shape && x.params == y.params
    };
    let equal = (first..).take_while(|&at| at + len < blocks.len() && same(at, at + len)).count();
    1 + equal / len
}

/// Whether each copy reads the box before it and nothing else, and only its last box is read from outside: only then
/// is one copy in place of all the same network, told shorter.
fn is_step(blocks: &[Block], Repeat { first, len, times }: Repeat) -> bool {
    let copy = |at: usize| (at - first) / len;
    let end = first + len * times;
    (first..blocks.len()).all(|at| {
        blocks[at].inputs.iter().all(|&input| {
            let inside = |at: usize| (first..end).contains(&at);
            let last_of_copy = |input: usize| inside(input) && (input - first) % len == len - 1;
            match (inside(at), inside(input)) {
                (true, true) => copy(at) == copy(input) || (copy(at) == copy(input) + 1 && last_of_copy(input)),
                (true, false) => at < first + len && input + 1 == first,
                (false, true) => input + 1 == end,
                (false, false) => true,
            }
        })
    })
}

fn remove_copies(blocks: &mut Vec<Block>, Repeat { first, len, times }: Repeat) {
    let gone = len * (times - 1);
    blocks.drain(first + len..first + len + gone);
    for block in &mut blocks[first + len..] {
        block.inputs.iter_mut().filter(|input| **input >= first + len).for_each(|input| *input -= gone);
    }
}
