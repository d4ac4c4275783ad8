//! Whole invocations: sizes of known networks, and errors as users read them.

use std::collections::HashSet;

use super::*;
use crate::ir::{Graph, Op};

fn networks(source: &str) -> Vec<Network> {
    let (networks, diagnostics) = analyse(source.parse().expect("test source lexes"));
    let errors: Vec<_> = diagnostics.into_vec().iter().map(crate::diag::Diagnostic::text).collect();
    assert!(errors.is_empty(), "{source}\n{}", errors.join("\n"));
    networks
}

fn graph(source: &str) -> Graph {
    networks(source).pop().and_then(|network| network.graph).expect("a graph without errors")
}

fn params(graph: &Graph) -> u64 {
    graph.cost().params
}

fn dump(graph: &Graph) -> String {
    let lines = graph.nodes.iter().map(|node| format!("{} {:?} {} {}", node.name, node.inputs, node.text, node.output));
    lines.collect::<Vec<_>>().join("\n")
}

const LENET5: &str = "/// LeNet-5 for 28x28 grey digits.
    #[derive(Clone)]
    pub LeNet5 <1x28x28>
        -> conv(6, 5x5, s1, p2) -> relu  <6x28x28>
        -> pool(2, s2)                   <6x14x14>
        -> conv(16, 5x5, s1)    -> relu
        -> pool(2, s2)                   <16x5x5>
        -> fc(120) -> relu -> fc(84) -> relu -> fc(10)";

/// Of each convolution of the last network, whether it is direct.
fn direct(source: &str) -> Vec<bool> {
    let of = |op: &Op| match *op {
        Op::Conv { direct, .. } | Op::ConvTranspose { direct, .. } => Some(direct),
        _ => None,
    };
    graph(source).nodes.iter().filter_map(|node| of(&node.op)).collect()
}

#[test]
fn a_direct_network_has_direct_layers_wherever_they_stand() {
    let (block, inner) = ("block two(c) = conv(c, 3x3) -> conv_transpose(c, 3x3)", "I <1x8x8> -> conv(1, 3x3, p1)");
    let outer = "-> I -> two(2) -> shortcut(3) -> dwconv(3x3)";
    let direct_of = |inner: &str, outer: &str| direct(&format!("{block}; {inner}; O <1x8x8> {outer}"));
    assert_eq!(direct_of(inner, outer), [false; 5]);
    // One that is depthwise is so anyway, but not where there is one channel.
    assert_eq!(direct_of(inner, &format!("direct {outer}")), [true; 5]);
    assert_eq!(direct("<1x28x28> direct dwconv(7x7, m64)"), [true]);
    let inner = inner.replace("->", "direct ->");
    assert_eq!(direct_of(&inner, outer), [true, false, false, false, false]);
    assert_eq!(direct("<1x8x8> weights = \"a\" embed direct conv(2, 3x3)"), [true]);
    assert_eq!(direct("block b(way) = conv(2, 3x3, way); <1x8x8> b(direct)"), [true]);
}

#[test]
fn a_direct_network_is_the_same_architecture() {
    let hash =
        |head: &str| crate::dump::hash(&graph(&format!("A <1x8x8> {head} conv(2, 3x3) -> conv_transpose(3, 3x3)")));
    assert_eq!(hash("direct ->"), hash("->"));
}

#[test]
fn lenet5_is_flat_and_named() {
    let network = networks(LENET5).pop().expect("one network");
    assert_eq!((network.name.to_string().as_str(), network.expression, network.attrs.len()), ("LeNet5", false, 2));
    assert!(matches!(network.vis, syn::Visibility::Public(_)));
    let graph = network.graph.expect("no errors");
    assert_eq!(params(&graph), 61_706);
    let expected = "conv1 [0] conv(6, 5x5, s1, p2) 6x28x28
relu1 [1] relu 6x28x28
pool1 [2] pool(2, s2) 6x14x14
conv2 [3] conv(16, 5x5, s1) 16x10x10
relu2 [4] relu 16x10x10
pool2 [5] pool(2, s2) 16x5x5
fc1 [6] fc(120) 120
relu3 [7] relu 120
fc2 [8] fc(84) 84
relu4 [9] relu 84
fc3 [10] fc(10) 10";
    assert_eq!(dump(&graph), expected);
}

#[test]
fn conditions_may_leave_one_of_two_networks() {
    assert_eq!(networks("#[cfg(a)] A <1x8x8> -> relu; #[cfg_attr(b, cfg(c))] A <1x8x8> -> tanh").len(), 2);
}

#[test]
fn raw_identifiers_are_the_same_names() {
    let graph = graph("block r#b(r#c) = conv(c, 1x1); A <4x8x8> -> r#x = relu -> add(id, x) -> b(r#c = 4) -> r#relu");
    assert_eq!(
        graph.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(),
        ["x", "add1", "b1.conv1", "relu1"]
    );
    let names =
        networks("r#A <1x8x8> -> relu; r#type <1x8x8> -> A; r#gen <1x8x8> -> r#type -> gen = relu -> add(id, gen)");
    assert_eq!(names.iter().map(|network| network.name.to_string()).collect::<Vec<_>>(), ["A", "r#type", "r#gen"]);
}

#[test]
fn parameters_are_used_wherever_an_expression_stands() {
    graph(
        "block b(c, k, s = k, n = 2, m = 3, _free = 4) = add(conv(4, 3x3, p(k / 2)), id) * n -> (fc(s + 1)) -> fc(m -> c);
         block _later(c) = fc(3);
         A <4x8x8> -> b(1, 2)",
    );
}

#[test]
fn parentheses_may_be_empty_and_lists_may_end_in_a_comma() {
    let graph = graph("block b() = relu(); block c(n,) = fc(n,); A <1x8x8> -> b() -> b -> add(id, tanh(),) -> c(3,)");
    assert_eq!(graph.nodes.len(), 5);
}

#[test]
fn the_expression_form_has_no_name() {
    let network = networks("<1x28x28> conv(6,5x5,s1) -> pool(2,s2) -> fc(10)").pop().expect("one network");
    assert!(network.expression);
    assert_eq!((network.name.to_string().as_str(), network.output), ("Net", Shape::Flat(10)));
    assert_eq!(networks("<1x28x28> -> fc(10);").len(), 1);
}

#[test]
fn every_line_of_the_alexnet_listing_holds() {
    let graph = graph(
        "AlexNet <3x227x227> -> conv(96, 11x11, s4, p0) -> relu <96x55x55> -> pool(3, s2) <96x27x27> -> lrn <96x27x27>
         -> conv(256, 5x5, s1, p2) -> relu <256x27x27> -> pool(3, s2) <256x13x13> -> lrn <256x13x13>
         -> conv(384, 3x3, s1, p1) -> relu <384x13x13> -> conv(384, 3x3, s1, p1) -> relu <384x13x13>
         -> conv(256, 3x3, s1, p1) -> relu <256x13x13> -> pool(3, s2) <256x6x6>
         -> dropout(0.5) -> fc(9216 -> 4096) -> relu <4096> -> dropout(0.5) -> fc(4096) -> relu <4096> -> fc(1000) <1000>",
    );
    // By hand: 34,944 + 614,656 + 885,120 + 1,327,488 + 884,992 + 37,752,832 + 16,781,312 + 4,097,000.
    assert_eq!(params(&graph), 62_378_344);
}

#[test]
fn layers_of_repeated_blocks_are_numbered_through() {
    let graph = graph(
        "block basic(c, s = 1) = add(conv(c, 3x3, s, p1) -> bn -> relu -> conv(c, 3x3, p1) -> bn, shortcut(c, s)) -> relu;
         Net <3x32x32> -> conv(8, 3x3, p1) -> basic(8) * 3 -> basic(16, s2) -> fc(10)",
    );
    assert_eq!(graph.nodes[1].name, "basic1.conv1");
    assert!(graph.nodes.iter().any(|node| node.name == "basic4.shortcut1.conv"));
    let names: HashSet<_> = graph.nodes.iter().map(|node| &node.name).collect();
    assert_eq!(names.len(), graph.nodes.len());
}

#[test]
fn a_convolution_that_only_bn_reads_has_no_bias_unless_asked() {
    let texts = |chain: &str| {
        let graph = graph(&format!("I <4x8x8> -> bn -> relu; A <4x8x8> -> {chain}"));
        let convs = graph.nodes.iter().filter(|node| matches!(node.op, Op::Conv { .. }));
        convs.map(|node| (node.text.clone(), matches!(node.op, Op::Conv { bias: true, .. }))).collect::<Vec<_>>()
    };
    assert_eq!(texts("conv(5, 1x1) -> bn"), [("conv(5, 1x1, s1)".into(), false)]);
    assert_eq!(texts("dwconv(3x3) -> bn"), [("dwconv(3x3, s1)".into(), false)]);
    assert_eq!(texts("conv(5, 1x1, bias) -> bn"), [("conv(5, 1x1, s1, bias)".into(), true)]);
    assert_eq!(texts("conv(5, 1x1, nobias) -> bn"), [("conv(5, 1x1, s1)".into(), false)]);
    assert_eq!(texts("conv(5, 1x1, bias) -> relu"), [("conv(5, 1x1, s1)".into(), true)]);
    assert_eq!(texts("conv(5, 1x1, nobias) -> relu"), [("conv(5, 1x1, s1, nobias)".into(), false)]);
    assert_eq!(texts("conv(5, 1x1) -> relu -> bn"), [("conv(5, 1x1, s1)".into(), true)]);
    assert_eq!(texts("conv(5, 1x1) -> add(id, bn)"), [("conv(5, 1x1, s1)".into(), true)]);
    assert_eq!(texts("conv(4, 1x1) -> add(bn, bn)"), [("conv(4, 1x1, s1)".into(), true)]);
    // Nor do layers count that turn out to do nothing.
    assert_eq!(texts("conv(4, 1x1) -> I -> tanh"), [("conv(4, 1x1, s1)".into(), false)]);
    assert_eq!(texts("conv(5, 1x1) -> shortcut(5) -> bn"), [("conv(5, 1x1, s1)".into(), false)]);
    assert_eq!(texts("conv(5, 1x1) -> reshape(5x8x8) -> bn"), [("conv(5, 1x1, s1)".into(), false)]);
    assert_eq!(texts("conv(5, 1x1, bias) -> id -> permute(chw) -> bn"), [("conv(5, 1x1, s1, bias)".into(), true)]);
    assert_eq!(texts("conv(5, 1x1) -> shortcut(6) -> bn")[0], ("conv(5, 1x1, s1)".into(), true));
    assert_eq!(texts("conv(5, 1x1) -> add(shortcut(5) -> bn, id)"), [("conv(5, 1x1, s1)".into(), true)]);
    assert_eq!(texts("x = conv(5, 1x1) -> bn -> concat(id, x)"), [("conv(5, 1x1, s1)".into(), true)]);
}

#[test]
fn a_fully_connected_layer_has_a_bias_unless_it_says_otherwise() {
    for (layer, text) in [("fc(2)", "fc(2)"), ("fc(2, bias)", "fc(2)"), ("fc(2, nobias)", "fc(2, nobias)")] {
        let node = graph(&format!("A <4x8x8> -> {layer}")).nodes.remove(0);
        assert_eq!((node.op, node.text.as_str()), (Op::Fc { bias: !text.contains("nobias") }, text), "{layer}");
    }
}

#[test]
fn named_values_reach_back() {
    let graph = graph(
        "UNet <2x16x16> -> left = conv(3, 3x3, same) -> pool(2) -> conv(5, 3x3, same) -> upsample(2)
         -> concat(id, left) <8x16x16> -> conv(1, 1x1)",
    );
    let expected = "left [0] conv(3, 3x3, s1, p1) 3x16x16
pool1 [1] pool(2, s2) 3x8x8
conv1 [2] conv(5, 3x3, s1, p1) 5x8x8
upsample1 [3] upsample(2, nearest) 5x16x16
concat1 [4, 1] concat 8x16x16
conv2 [5] conv(1, 1x1, s1) 1x16x16";
    assert_eq!(dump(&graph), expected);
}

#[test]
fn names_of_a_branch_are_seen_in_later_branches_and_behind_the_join() {
    let graph = graph(
        "A <2x4x4> -> add(a = relu -> conv(2, 1x1), a -> b = tanh -> conv(2, 1x1), (c = conv(2, 1x1))) -> mul(id, b, c -> sigmoid)",
    );
    let expected = "a [0] relu 2x4x4
conv1 [1] conv(2, 1x1, s1) 2x4x4
b [1] tanh 2x4x4
conv2 [3] conv(2, 1x1, s1) 2x4x4
c [0] conv(2, 1x1, s1) 2x4x4
add1 [2, 4, 5] add 2x4x4
sigmoid1 [5] sigmoid 2x4x4
mul1.1 [6, 3] mul 2x4x4
mul1 [8, 7] mul 2x4x4";
    assert_eq!(dump(&graph), expected);
}

#[test]
fn joined_values_have_the_larger_size_of_each_axis() {
    let output = |chain: &str| graph(&format!("A <4x6x8> -> {chain}")).output().to_string();
    assert_eq!(output("mul(id, avgpool(global))"), "4x6x8");
    assert_eq!(output("sub(avgpool(6x1), avgpool(1x8))"), "4x6x8");
    assert_eq!(output("div(conv(1, 1x1), avgpool(global))"), "4x6x8");
    assert_eq!(output("mul(fc(1), fc(5), fc(1))"), "5");
}

#[test]
fn shapes_are_changed_without_layers_that_do_nothing() {
    let graph = graph(
        "A <2x4x6> -> reshape(2x4x6) -> expand(2x4x6) -> permute(chw) -> permute(whc) -> reshape(3x16x1) -> expand(3x16x5)
         -> permute(cwh) -> reshape(240) -> reshape(240) -> flatten",
    );
    let expected = "permute2 [0] permute(whc) 6x4x2
reshape2 [1] reshape(3x16x1) 3x16x1
expand2 [2] expand(3x16x5) 3x16x5
permute3 [3] permute(cwh) 3x5x16
reshape3 [4] flatten 240";
    assert_eq!(dump(&graph), expected);
}

/// A node's text is the layer again.
#[test]
fn texts_parse_back_to_the_same_nodes() {
    let source = TEXTS.join(" -> ");
    let graph = graph(&format!("A <2x4x6> -> {source}"));
    let texts: Vec<&str> = graph.nodes.iter().map(|node| node.text.as_str()).collect();
    let again = self::graph(&format!("A <2x4x6> -> {}", texts.join(" -> ")));
    for (node, again) in graph.nodes.iter().zip(&again.nodes) {
        assert_eq!((node.op, node.output, &node.text), (again.op, again.output, &again.text));
    }
    assert_eq!((graph.nodes.len(), again.nodes.len()), (TEXTS.len(), TEXTS.len()));
}

const TEXTS: [&str; 35] = [
    "permute(whc)",
    "reshape(1x6x8)",
    "expand(4x6x8)",
    "selu",
    "selu(-0.1, gamma = 1e-30)",
    "clip(0, 6)",
    "clip(lo = -1e30)",
    "clip(hi = 16777217)",
    "clip(lo = -0, hi = 0.1)",
    "hardsigmoid",
    "hardsigmoid(0.2, 0.5)",
    "gelu",
    "gelu(tanh)",
    "affine(mul = 2)",
    "affine(add = -0.333333333333)",
    "affine(1 / 3.0, 1e-45)",
    "reciprocal",
    "leaky_relu(slope = 1e-20)",
    "elu(alpha = 123456789)",
    "prelu",
    "prelu(shared)",
    "scale",
    "scale(4x1x1)",
    "scale(1x1x8)",
    "shift",
    "shift(1x6x8)",
    "bn(eps = 1e-20, momentum = 1e-9)",
    "lrn(3, alpha = 1e30, beta = 1e-20, k = 123456789012345)",
    "pad(1, value = 1e30)",
    "pad(1, value = -1e-30)",
    "dropout(1e-20)",
    "resize(6x8, bilinear, scale_h = 1e30, scale_w = 1e-20)",
    "reshape(192)",
    "shift(1)",
    "scale",
];

#[test]
fn trained_tensors_have_the_shape_that_was_written() {
    let graph = graph(
        "A <3x4x5> -> prelu -> prelu(shared) -> scale -> scale(3x1x1) -> shift(1x1x5) -> shift(1x1x1) -> fc(7)
         -> prelu -> scale(7) -> scale(1) -> shift",
    );
    let layout = crate::layout::Layout::of(&graph);
    let name = |tensor: &crate::layout::Tensor| {
        let sizes: Vec<String> = tensor.shape.iter().map(usize::to_string).collect();
        format!("{}.{} {}", graph.nodes[tensor.node].name, tensor.role.suffix(), sizes.join("x"))
    };
    let tensors: Vec<String> = layout.tensors.iter().map(name).collect();
    let expected = [
        "prelu1.weight 3",
        "prelu2.weight 1",
        "scale1.weight 3",
        "scale2.weight 3x1x1",
        "shift1.bias 1x1x5",
        "shift2.bias 1x1x1",
        "fc1.weight 7x60",
        "fc1.bias 7",
        "prelu3.weight 7",
        "scale3.weight 7",
        "scale4.weight 1",
        "shift3.bias 7",
    ];
    assert_eq!(tensors, expected);
    assert_eq!(params(&graph), 3 + 1 + 3 + 3 + 5 + 1 + 427 + 7 + 7 + 1 + 7);
}

#[test]
fn a_network_is_a_step_of_another() {
    let source = "Stem <1x8x8> -> conv(4, 3x3) -> relu; Whole <1x16x16> -> pool(2) -> Stem -> eyes = Stem2 -> fc(2);
        Stem2 <4x6x6> -> relu -> add(id, conv(4, 1x1))";
    let networks = networks(&source.replace("eyes = ", ""));
    let whole = networks[1].graph.as_ref().expect("no errors");
    let names: Vec<_> = whole.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["pool1", "Stem1.conv1", "Stem1.relu1", "Stem2_1.relu1", "Stem2_1.conv1", "Stem2_1.add1", "fc1"]);
}

#[test]
fn names_of_an_item_do_not_number_the_layers_of_another() {
    let names = |source: &str| -> Vec<String> {
        let graph = networks(source).swap_remove(0).graph.expect("no errors");
        graph.nodes.into_iter().map(|node| node.name).collect()
    };
    let other = "B <4x8x8> -> conv1 = conv(4, 1x1) -> add(id, conv1)";
    assert_eq!(names(&format!("A <1x8x8> -> conv(4, 3x3) -> fc(2); {other}")), ["conv1", "fc1"]);
    let block = "block pre(c) = conv1 = conv(c, 3x3, p1) -> add(id, conv1) -> conv(c, 1x1)";
    assert_eq!(
        names(&format!(
            "{block}; A <4x8x8> -> conv(4, 1x1) -> pre(4) -> conv2 = conv(4, 1x1) -> add(conv2, conv(4, 1x1))"
        )),
        ["conv1", "pre1.conv1", "pre1.add1", "pre1.conv2", "conv2", "conv3", "add1"]
    );
}

#[test]
fn tensors_are_called_as_their_layers_are() {
    let names = |chain: &str| {
        let graph = graph(&format!("block b = conv(4, 1x1); A <4x8x8> -> {chain}"));
        let layout = crate::layout::Layout::of(&graph);
        let name =
            |tensor: &crate::layout::Tensor| format!("{}.{}", graph.nodes[tensor.node].name, tensor.role.suffix());
        layout.tensors.iter().map(name).collect::<Vec<_>>().join(" ")
    };
    let chain = "stem = conv(4, 3x3, nobias) -> body = (b -> relu) -> tail = add(id, bn) * 2 -> head = fc(2)";
    let expected = "stem.weight body.b1.conv1.weight body.b1.conv1.bias tail.bn1.weight tail.bn1.bias \
        tail.bn1.running_mean tail.bn1.running_var tail.bn2.weight tail.bn2.bias tail.bn2.running_mean \
        tail.bn2.running_var head.weight head.bias";
    assert_eq!(names(chain), expected);
    assert_eq!(
        names("x = b -> y = shortcut(8) -> relu"),
        "x.conv1.weight x.conv1.bias y.conv.weight y.bn.weight y.bn.bias \
        y.bn.running_mean y.bn.running_var"
    );
}

#[test]
fn names_that_a_model_makes_up_hide_items() {
    use crate::ast::Model;
    use crate::diag::Site;

    let source = "A <4x8x8> -> x1 = relu -> add(id, x1); x1 <4x8x8> -> relu";
    let diagnostics = Diagnostics::new();
    let mut program = parse::parse(source.parse().expect("test source lexes"), Path::new(""), &diagnostics);
    let (site, model) = (Site::of(program.networks[0].name.span()), Model { tensors: vec![], beside: vec![] });
    program.networks[0].weights = Some(Weights { path: "a.onnx".into(), site, embed: false, model: Some(model) });
    let graphs = analyse_program(&program, &diagnostics);
    assert!(diagnostics.into_vec().is_empty());
    assert_eq!(dump(graphs[0].1.graph.as_ref().expect("no errors")), "x1 [0] relu 4x8x8\nadd1 [1, 1] add 4x8x8");
}

#[test]
fn an_input_of_too_few_or_too_many_sizes_is_guessed() {
    for (source, wanted) in
        [("A <28x30> -> relu", [1, 28, 30]), ("A <8x3x28x30> -> relu", [3, 28, 30]), ("A -> relu", [1, 1, 1])]
    {
        let (networks, diagnostics) = analyse(source.parse().expect("test source lexes"));
        assert_eq!(diagnostics.into_vec().len(), 1, "{source}");
        assert_eq!(Shape::Map(networks[0].input).dims(), wanted, "{source}");
    }
}

#[test]
fn arithmetic_from_another_macro_keeps_its_parentheses() {
    use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
    let sum: TokenStream = "2 + 1".parse().expect("lexes");
    let sum = TokenTree::Group(Group::new(Delimiter::None, sum));
    let source = quote::quote!(A <1x4x4> -> fc(2 * #sum) -> relu * #sum);
    let (networks, diagnostics) = analyse(source);
    assert!(diagnostics.into_vec().is_empty());
    let graph = networks[0].graph.as_ref().expect("no errors");
    assert_eq!((graph.output(), graph.nodes.len()), (Shape::Flat(6), 4));
}

mod errors;
mod limits;
mod texts;
