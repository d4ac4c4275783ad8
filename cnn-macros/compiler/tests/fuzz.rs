//! Properties over random input: everything is answered, in Rust that can be parsed, and valid networks rightly.

use cnn_compiler::expand;
use cnn_compiler::front::{Network, analyse};
use cnn_compiler::ir::{Map, Op, Shape};
use proc_macro2::TokenStream;
use proptest::prelude::*;
use quote::quote;

/// Pieces of the language and of what people may type instead.
const PIECES: [&str; 75] = [
    "->",
    "->",
    "->",
    "->",
    ",",
    ",",
    ";",
    "=",
    "*",
    "<",
    ">",
    "(",
    "(",
    ")",
    ")",
    "-",
    "+",
    "/",
    "=>",
    ":",
    "#[doc = \"x\"]",
    "pub",
    "block",
    "A",
    "B",
    "b",
    "x",
    "y",
    "c",
    "s",
    "k",
    "id",
    "_",
    "conv",
    "pool",
    "avgpool",
    "fc",
    "relu",
    "bn",
    "dropout",
    "add",
    "concat",
    "mul",
    "reshape",
    "expand",
    "hwc",
    "scale",
    "clip",
    "shortcut",
    "flatten",
    "upsample",
    "pad",
    "same",
    "global",
    "nobias",
    "s2",
    "p1x2",
    "p0x1x2x3",
    "g3",
    "0",
    "1",
    "3",
    "3x3",
    "5x4",
    "1x28x28",
    "<4x9x7>",
    "<1x8x8> ->",
    "0.5",
    "18446744073709551615",
    "99999",
    "\"text\"",
    "weights",
    "\"net.safetensors\"",
    "embed",
    "direct",
];

/// Programs that use every part of the language, to be damaged.
const VALID: [&str; 4] = [
    "/// Doc.\n #[derive(Clone)] pub A <1x28x28> -> conv(6, 5x5, s1, p2) -> relu <6x28x28> -> pool(2, s2) <6x14x14>
     -> fc(1176 -> 120) -> relu -> dropout(0.5) -> fc(10)",
    "block basic(c, s = 1) = add(conv(c, 3x3, s, p1) -> bn -> relu -> conv(c, 3x3, p1) -> bn, shortcut(c, s)) -> relu;
     R <3x32x32> -> conv(16, 3x3, p(3 / 2)) -> basic(16) * 3 -> basic(2 * 16, s2) -> avgpool(global) -> fc(10);",
    "U <2x16x16> direct -> left = conv(3, 3x3, same) -> pool(2) -> (conv(5, 3x3, same) -> tanh) * 2 -> conv_transpose(5, 2x2, s2, o0x0)
     -> concat(id, left -> elu(alpha = 0.5)) -> dwconv(3x3, m2, d2) -> lrn(size = 3) -> resize(3x5, asymmetric, floor, scale_w = 0.7) -> softmax",
    "<1x8x8> -> pad(1x2) -> pad(0x1x2x0, reflect) -> pad(1, edge) -> pad(1, value = 0.5) -> conv(4, 3, g1, p0x1x2x3, direct, nobias) -> leaky_relu(0.2) -> maxpool(3, s2, p1, ceil) -> avgpool(2, s1, p1, excludepad) -> flatten -> log_softmax",
];

/// Analyses and expands a source; sources that do not lex never reach a macro.
fn answer(source: &str) -> Option<(Vec<Network>, usize)> {
    let tokens: TokenStream = source.parse().ok()?;
    let (networks, diagnostics) = analyse(tokens.clone());
    let errors = diagnostics.into_vec();
    for error in &errors {
        assert!(!error.message.is_empty() && error.text().len() < 4096, "{source}\n{}", error.text());
    }
    for network in &networks {
        assert!(network.graph.is_some() || !errors.is_empty(), "{source}: no graph and no error");
    }
    let expansion = expand(tokens);
    let file = match networks.iter().any(|network| network.expression) {
        true => quote!(fn main() { let net = #expansion; }),
        false => expansion,
    };
    if let Err(error) = syn::parse2::<syn::File>(file) {
        panic!("{source}: the expansion is no Rust: {error}");
    }
    Some((networks, errors.len()))
}

/// One careless edit of a text in tokens.
#[derive(Clone, Debug)]
enum Edit {
    Remove(prop::sample::Index),
    Swap(prop::sample::Index),
    Double(prop::sample::Index),
    Insert(prop::sample::Index, &'static str),
    Replace(prop::sample::Index, &'static str),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<prop::sample::Index>;
    let piece = || prop::sample::select(&PIECES[..]);
    prop_oneof![
        at().prop_map(Edit::Remove),
        at().prop_map(Edit::Swap),
        at().prop_map(Edit::Double),
        (at(), piece()).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        (at(), piece()).prop_map(|(at, piece)| Edit::Replace(at, piece)),
    ]
}

fn apply(words: &mut Vec<String>, edit: &Edit) {
    if words.len() < 2 {
        return;
    }
    match edit {
        Edit::Remove(at) => drop(words.remove(at.index(words.len()))),
        Edit::Swap(at) => {
            let at = at.index(words.len() - 1);
            words.swap(at, at + 1);
        }
        Edit::Double(at) => {
            let at = at.index(words.len());
            words.insert(at, words[at].clone());
        }
        Edit::Insert(at, piece) => words.insert(at.index(words.len()), piece.to_string()),
        Edit::Replace(at, piece) => {
            let at = at.index(words.len());
            words[at] = piece.to_string();
        }
    }
}

/// The words of a program, with parentheses and commas on their own.
fn words(source: &str) -> Vec<String> {
    let mut spaced = source.to_string();
    for sign in ["(", ")", ",", ";", "="] {
        spaced = spaced.replace(sign, &format!(" {sign} "));
    }
    spaced.replace("/// Doc.\n", "#[doc=\"x\"]").split_whitespace().map(str::to_string).collect()
}

/// So many random cases, or as many as `PROPTEST_CASES` says; none is kept in a file.
fn random(cases: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").map_or(cases, |cases| cases.parse().expect("a number"));
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(random(2000))]

    #[test]
    fn random_words_are_answered(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..60)) {
        answer(&pieces.join(" "));
        answer(&format!("A <4x9x7> -> {}", pieces.join(" ")));
    }

    #[test]
    fn random_text_is_answered(text in "[ -~]{0,80}") {
        answer(&text);
    }

    #[test]
    fn damaged_programs_are_answered(which in 0..VALID.len(), edits in prop::collection::vec(edit(), 1..6)) {
        let mut program = words(VALID[which]);
        edits.iter().for_each(|edit| apply(&mut program, edit));
        answer(&program.join(" "));
    }
}

#[test]
fn the_programs_to_be_damaged_are_whole() {
    for source in VALID {
        let (networks, errors) = answer(source).expect("a valid program lexes");
        assert_eq!((networks.len(), errors), (1, 0), "{source}");
        assert_eq!(answer(&words(source).join(" ")).map(|(_, errors)| errors), Some(0), "{source}");
    }
}

/// A layer of a random architecture; sizes are reduced to what fits when it is written down.
#[derive(Clone, Debug)]
enum Random {
    Conv { out: usize, kernel: [usize; 2], stride: usize, pad: usize, dilation: usize, same: bool },
    Pool { kernel: usize, stride: usize, average: bool, ceil: bool },
    Point(&'static str),
    Residual { out: usize, stride: usize },
    Concat { out: usize },
    Upsample(usize),
    Resize([usize; 2], &'static str),
    Pad([usize; 4]),
    Transpose { out: usize, kernel: usize, stride: usize, extra: usize },
    Depthwise { multiplier: usize },
    Repeat(usize),
    Named,
    Gate { whole: bool },
    Turn,
    Stretch(usize),
    Block { out: usize, stride: usize },
}

/// The block that [`Random::Block`] calls, if there is one.
const BLOCK: &str = "block _unit(c, s = 1, k = 3) = conv(c, k, s, p(k / 2)) -> bn -> relu; ";

fn layer() -> impl Strategy<Value = Random> {
    let points = [
        "relu",
        "bn",
        "tanh",
        "lrn",
        "dropout(0.25)",
        "hardswish",
        "softmax",
        "id",
        "leaky_relu(0.1)",
        "selu",
        "clip(lo = -1)",
        "hardsigmoid",
        "gelu(tanh)",
        "affine(2, add = 0.1)",
        "prelu",
        "prelu(shared)",
        "scale",
        "shift(1x1x1)",
    ];
    prop_oneof![
        (1..9_usize, [1..6_usize, 1..6_usize], 1..4_usize, 0..3_usize, 1..3_usize, any::<bool>()).prop_map(
            |(out, kernel, stride, pad, dilation, same)| Random::Conv { out, kernel, stride, pad, dilation, same }
        ),
        (1..4_usize, 1..4_usize, any::<bool>(), any::<bool>())
            .prop_map(|(kernel, stride, average, ceil)| Random::Pool { kernel, stride, average, ceil }),
        prop::sample::select(points.to_vec()).prop_map(Random::Point),
        (1..9_usize, 1..3_usize).prop_map(|(out, stride)| Random::Residual { out, stride }),
        (1..9_usize).prop_map(|out| Random::Concat { out }),
        (1..3_usize).prop_map(Random::Upsample),
        ([1..12_usize, 1..12_usize], prop::sample::select(vec!["bilinear", "floor", "align_corners", "scale_h = 0.3"]))
            .prop_map(|(size, word)| Random::Resize(size, word)),
        [0..3_usize, 1..3_usize, 0..4_usize, 0..3_usize].prop_map(Random::Pad),
        (1..9_usize, 1..4_usize, 1..3_usize, 0..3_usize).prop_map(|(out, kernel, stride, extra)| Random::Transpose {
            out,
            kernel,
            stride,
            extra
        }),
        (1..3_usize).prop_map(|multiplier| Random::Depthwise { multiplier }),
        (1..5_usize).prop_map(Random::Repeat),
        Just(Random::Named),
        any::<bool>().prop_map(|whole| Random::Gate { whole }),
        Just(Random::Turn),
        (1..4_usize).prop_map(Random::Stretch),
        (1..9_usize, 1..4_usize).prop_map(|(out, stride)| Random::Block { out, stride }),
    ]
}

/// Counts the places where a window can stand, one by one.
fn places(size: usize, kernel: usize, stride: usize, pad: usize, dilation: usize) -> usize {
    let (padded, span) = (size + 2 * pad, (kernel - 1) * dilation + 1);
    (0..padded).step_by(stride).take_while(|start| start + span <= padded).count()
}

/// Writes a layer and says what shape it leaves; `None` where it would not fit.
fn write(index: usize, layer: &Random, Map { c, h, w }: Map) -> Option<(String, Map)> {
    let slide = |size, kernel, stride, pad, dilation| match places(size, kernel, stride, pad, dilation) {
        0 => None,
        count => Some(count),
    };
    Some(match *layer {
        Random::Conv { out, kernel: [kh, kw], stride, same: true, .. } => {
            let ceil = |size: usize| (0..size).step_by(stride).count();
            (format!("conv({out}, {kh}x{kw}, s{stride}, same)"), Map { c: out, h: ceil(h), w: ceil(w) })
        }
        Random::Conv { out, kernel: [kh, kw], stride, pad, dilation, same: false } => {
            let output =
                Map { c: out, h: slide(h, kh, stride, pad, dilation)?, w: slide(w, kw, stride, pad, dilation)? };
            (format!("conv({out}, {kh}x{kw}, d{dilation}, p{pad}, s{stride})"), output)
        }
        Random::Pool { kernel, stride, average, ceil: true } => {
            let name = if average { "avgpool" } else { "pool" };
            // A window that reaches past the input by a whole step has nothing new.
            let count = |size: usize| {
                let windows = (0..size).step_by(stride).take_while(|start| start + kernel < size + stride);
                Some(windows.count()).filter(|count| *count > 0)
            };
            (format!("{name}({kernel}, s{stride}, ceil)"), Map { c, h: count(h)?, w: count(w)? })
        }
        Random::Pool { kernel, stride, average, ceil: false } => {
            let name = if average { "avgpool" } else { "pool" };
            let output = Map { c, h: slide(h, kernel, stride, 0, 1)?, w: slide(w, kernel, stride, 0, 1)? };
            (format!("{name}({kernel}, s{stride})"), output)
        }
        Random::Point(name) => (name.into(), Map { c, h, w }),
        Random::Residual { out, stride } => {
            let output = Map { c: out, h: slide(h, 3, stride, 1, 1)?, w: slide(w, 3, stride, 1, 1)? };
            (format!("add(conv({out}, 3x3, s{stride}, p1) -> bn, shortcut({out}, s{stride}))"), output)
        }
        Random::Concat { out } => (format!("concat(id, conv({out}, 1x1))"), Map { c: c + out, h, w }),
        Random::Upsample(scale) => (format!("upsample({scale})"), Map { c, h: scale * h, w: scale * w }),
        Random::Resize([rows, columns], word) => {
            (format!("resize({rows}x{columns}, {word})"), Map { c, h: rows, w: columns })
        }
        Random::Pad([top, left, bottom, right]) => {
            (format!("pad({top}x{left}x{bottom}x{right})"), Map { c, h: top + h + bottom, w: left + w + right })
        }
        Random::Transpose { out, kernel, stride, extra } => {
            let spread = |size: usize| (0..size).map(|at| at * stride + kernel).max().unwrap_or(0) + extra;
            let text = format!("conv_transpose({out}, {kernel}, s{stride}, o{extra})");
            (text, Map { c: out, h: spread(h), w: spread(w) })
        }
        Random::Depthwise { multiplier } => (format!("dwconv(1x1, m{multiplier})"), Map { c: c * multiplier, h, w }),
        Random::Repeat(times) => (format!("(conv({c}, 3x3, p1) -> tanh) * {times}"), Map { c, h, w }),
        Random::Named => {
            let (name, conv) = (format!("kept{index}"), format!("conv({c}, 3x3, same)"));
            (format!("{name} = relu -> {conv} -> add(id, {name} -> sigmoid)"), Map { c, h, w })
        }
        Random::Gate { whole: true } => {
            (format!("mul(id, avgpool(global) -> conv({c}, 1x1) -> sigmoid)"), Map { c, h, w })
        }
        Random::Gate { whole: false } => {
            (format!("sub(avgpool({h}x1), div(id, conv(1, 1x1) -> sigmoid))"), Map { c, h, w })
        }
        Random::Turn => (format!("permute(hwc) -> reshape({w}x{c}x{h}) -> permute(cwh)"), Map { c: w, h, w: c }),
        Random::Stretch(rows) => (format!("avgpool({h}x1) -> expand({c}x{rows}x{w})"), Map { c, h: rows, w }),
        Random::Block { out, stride } => {
            let output = Map { c: out, h: slide(h, 3, stride, 1, 1)?, w: slide(w, 3, stride, 1, 1)? };
            (format!("_unit({out}, s{stride})"), output)
        }
    })
}

/// What a layer's text means where nothing but its input stands before it: that is, what it meant in the network.
fn alone(text: &str, input: Shape, op: Op) -> (Op, String) {
    let Map { c, h, w } = input.to_map();
    let (flatten, own) = if matches!(input, Shape::Flat(_)) { ("flatten -> ", 1) } else { ("", 0) };
    let normalised =
        if matches!(op, Op::Conv { bias: false, .. } | Op::ConvTranspose { bias: false, .. }) { " -> bn" } else { "" };
    let source = format!("A <{c}x{h}x{w}> -> {flatten}{text}{normalised}");
    let (networks, diagnostics) = analyse(source.parse().expect("lexes"));
    assert_eq!(diagnostics.into_vec().len(), 0, "{source}");
    let node = networks[0].graph.as_ref().expect("no errors").nodes[own].clone();
    (node.op, node.text)
}

proptest! {
    #![proptest_config(random(250))]

    #[test]
    fn valid_architectures_have_the_shapes_of_a_simple_count(
        input in (1..4_usize, 5..24_usize, 5..24_usize),
        layers in prop::collection::vec((layer(), any::<bool>()), 1..14),
        outputs in 1..20_usize,
    ) {
        let mut map = Map { c: input.0, h: input.1, w: input.2 };
        let mut source = format!("{BLOCK}A <{}x{}x{}>", map.c, map.h, map.w);
        for (index, (layer, annotated)) in layers.iter().enumerate() {
            let Some((text, output)) = write(index, layer, map) else { continue };
            if output.c * output.h * output.w > 1 << 20 {
                continue;
            }
            map = output;
            source += &format!(" -> {text}");
            if *annotated {
                source += &format!(" <{}x{}x{}>", map.c, map.h, map.w);
            }
        }
        let features = map.c * map.h * map.w;
        source += &format!(" -> relu -> fc({features} -> {outputs})");
        let (networks, errors) = answer(&source).expect("lexes");
        prop_assert_eq!(errors, 0, "{}", source);
        let graph = networks[0].graph.as_ref().expect("no errors");
        let count = graph.nodes.len();
        prop_assert_eq!(graph.nodes[count - 2].output, Shape::Map(map), "{}", source);
        prop_assert_eq!(graph.nodes[count - 1].output, Shape::Flat(outputs));
        let mut names: Vec<_> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        prop_assert_eq!(names.len(), count, "names are unique: {}", source);
        for (index, node) in graph.nodes.iter().enumerate() {
            prop_assert!(!node.inputs.is_empty() && node.inputs.iter().all(|input| *input <= index), "{}", source);
            if let (&[input], false) = (&node.inputs[..], node.op == Op::Reshape) {
                let (op, text) = alone(&node.text, graph.shape(input), node.op);
                prop_assert_eq!((op, &text), (node.op, &node.text), "{}", source);
            }
        }
    }
}
