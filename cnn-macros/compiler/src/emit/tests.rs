use std::collections::HashSet;

use super::*;
use crate::compile::compile;
use crate::ir::{Act, Op, Resample};
use crate::testing::{Builder, residual};

fn net(graph: Option<Graph>) -> Network {
    Network {
        attrs: Vec::new(),
        vis: syn::parse_quote!(pub),
        name: format_ident!("Net"),
        expression: false,
        input: graph.as_ref().map_or(Map { c: 1, h: 2, w: 3 }, |graph| graph.input),
        output: graph.as_ref().map_or(Shape::Flat(3), Graph::output),
        weights: None,
        graph,
    }
}

/// The expansion, formatted.
fn text(net: &Network) -> String {
    let compiled = net.graph.as_ref().map(compile);
    let file = syn::parse2(network(net, compiled.as_ref())).expect("the expansion is Rust");
    prettyplease::unparse(&file)
}

fn expansion(graph: &Graph) -> String {
    text(&net(Some(graph.clone())))
}

/// The constants that are defined in a text, by module.
fn constants(text: &str) -> Vec<(String, String)> {
    let mut module = String::new();
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("mod ") {
            module = rest.trim_end_matches(" {").to_owned();
        } else if line == "}" {
            module.clear();
        }
        let rest = line.strip_prefix("pub(super) const ").or(line.strip_prefix("const "));
        if let Some((name, _)) = rest.and_then(|rest| rest.split_once(':')) {
            found.push((module.clone(), name.to_owned()));
        }
    }
    found
}

#[test]
fn equal_layers_share_a_descriptor_and_constants_are_unique() {
    let expansion = expansion(&residual());
    assert_eq!(expansion.matches(": rt::Conv = ").count(), 2, "conv2 and conv3 are alike");
    assert_eq!(expansion.matches(": rt::BatchNorm = ").count(), 1);
    let constants = constants(&expansion);
    assert!(constants.contains(&("saved".into(), "BN1_INV_STD".into())));
    assert_eq!(constants.iter().collect::<HashSet<_>>().len(), constants.len());
}

#[test]
fn names_that_differ_only_in_case_or_dots_stay_apart() {
    let mut graph = residual();
    for (index, name) in ["a.b", "a_b", "A_B", "info", "infer", "input", "größe", "größt"].into_iter().enumerate() {
        graph.nodes[index].name = name.into();
    }
    let constants = constants(&expansion(&graph));
    assert_eq!(constants.iter().collect::<HashSet<_>>().len(), constants.len());
}

#[test]
fn a_long_network_is_split_into_functions() {
    let mut net = Builder::new(2, 3, 5);
    let mut x = 0;
    for _ in 0..70 {
        x = net.conv(x, 2, 1, 1, 0, 1);
    }
    let expansion = expansion(net.graph());
    assert!(expansion.contains("infer_1(p, s, frame, arena);\n            infer_2(p, s, frame, arena);\n"));
    assert!(expansion.contains("fn train_backward_2(\n"));
    let second = expansion.split("fn infer_2(").nth(1).expect("defined").split("fn ").next().expect("its body");
    assert_eq!(second.matches("rt::conv::forward_kept(").count(), 6);
}

#[test]
fn an_odd_argmax_is_cut_to_its_elements() {
    let mut net = Builder::new(3, 5, 5);
    net.max_pool(0, 3, 1);
    let expansion = expansion(net.graph());
    assert_eq!(expansion.matches("&mut rt::as_u16(argmax)[..27 * frame.n]").count(), 2);
}

#[test]
fn gradients_by_the_input_are_computed_on_demand() {
    let expansion = expansion(&residual());
    let demanded = expansion.split("if want_input {").nth(1).expect("conv1 has one").split('}').next().unwrap_or("");
    assert!(demanded.contains("rt::conv::backward_data("));
    assert_eq!(expansion.matches("if want_input").count(), 1);
}

#[test]
fn the_gradient_by_a_layers_output_is_shown_even_if_the_layer_first_copies_another() {
    let mut net = Builder::new(3, 4, 4);
    let skip = net.conv(0, 5, 3, 1, 1, 1);
    let x = net.conv(skip, 5, 3, 1, 1, 1);
    // While the sum's gradient is both values', the pool has to add its own to one of them.
    let pool = net.max_pool(skip, 4, 1);
    let sum = net.add(&[x, skip]);
    let [pool, sum] = [pool, sum].map(|x| net.fc(x, 7));
    net.add(&[pool, sum]);
    let expansion = expansion(net.graph());
    let shown = expansion.split("frame.show_gradient(2, ").nth(1).and_then(|rest| rest.split_once(')'));
    assert_eq!(shown.expect("the pool shows one").0, "rt::Order::Nchw, grad::POOL1, arena");
    assert!(expansion.contains("rt::add::copy(from, to, rt::Write::Set)"));
}

#[test]
fn descriptors_and_what_is_shown_say_the_order_of_values() {
    let mut net = Builder::new(3, 9, 9);
    let x = net.conv(0, 32, 3, 1, 1, 1);
    let x = net.bn(x);
    let x = net.same(Op::Lrn { size: 3, alpha: 1e-4, beta: 0.75, k: 2.0 }, x);
    let x = net.conv(x, 32, 3, 1, 1, 32);
    let x = net.max_pool(x, 2, 2);
    net.fc(x, 5);
    let expansion = expansion(net.graph());
    let blocked = "rt::Map::blocked(32, 9, 9)";
    for pair in [
        format!("input: rt::Map::new(3, 9, 9),\n        output: {blocked},"),
        format!("input: {blocked},\n        output: {blocked},"),
        format!("input: {blocked},\n        output: rt::Map::new(32, 4, 4),"),
        format!("map: {blocked},"),
        "plane: 81,\n        order: rt::Order::Nchw16c,".to_owned(),
    ] {
        assert_eq!(expansion.matches(&pair).count(), 1, "{pair}");
    }
    let shown = |layer: usize, order| format!("({layer}, rt::Order::{order}, ");
    for (layer, order) in ["Nchw16c", "Nchw16c", "Nchw16c", "Nchw16c", "Nchw", "Nchw"].into_iter().enumerate() {
        let shown = shown(layer, order);
        for show in ["show", "show_gradient"] {
            assert_eq!(expansion.matches(&format!("frame.{show}{shown}")).count(), 1, "{show}{shown}");
        }
    }
}

#[test]
fn every_operation_is_emitted_in_all_three_passes() {
    let mut net = Builder::new(3, 4, 4);
    let conv = net.conv(0, 4, 3, 1, 1, 1);
    let bn = net.bn(conv);
    let gelu = net.act(bn, Act::Gelu);
    let lrn = net.same(Op::Lrn { size: 3, alpha: 1e-4, beta: 0.75, k: 2.0 }, gelu);
    let dropped = net.same(Op::Dropout { rate: 0.5 }, lrn);
    let window = crate::ir::Window { kernel: [1; 2], stride: [1; 2], dilation: [1; 2], pad: [0; 4] };
    let pooled = net.same(Op::AvgPool { window, counted: [0; 4] }, dropped);
    let max = net.max_pool(dropped, 1, 1);
    let joined = net.concat(&[pooled, max]);
    let padded = net.push(
        Op::Pad { pad: [1, 0, 0, 1], fill: crate::ir::Fill::Edge },
        &[joined],
        Shape::Map(Map { c: 8, h: 5, w: 5 }),
    );
    let (sampling, coordinates) = (crate::ir::Sampling::Bilinear, crate::ir::Coordinates::AlignCorners);
    let padded = net.same(Op::Resize { sampling, coordinates, scale: [None, Some(0.6)] }, padded);
    let window = crate::ir::Window { kernel: [1; 2], stride: [1; 2], dilation: [1; 2], pad: [0; 4] };
    let padded = net.same(Op::ConvTranspose { window, groups: 2, bias: true, direct: false }, padded);
    let large = Shape::Map(Map { c: 8, h: 10, w: 10 });
    let large = net.push(Op::Upsample { scale: [2; 2], resample: Resample::Bilinear }, &[padded], large);
    let summed = net.add(&[large, large, large]);
    let fc = net.fc(summed, 7);
    net.same(Op::Softmax { log: true }, fc);
    let expansion = expansion(net.graph());
    let modules =
        "conv conv_transpose resize batch_norm act lrn dropout avg_pool max_pool concat pad upsample add fc softmax";
    for module in modules.split(' ').filter(|&module| module != "add") {
        let both = ["::forward", "::backward"].map(|pass| expansion.matches(&format!("rt::{module}{pass}")).count());
        assert!(both[0] >= 1 && both[1] >= 1, "{module}: {both:?}");
    }
    assert!(expansion.contains("rt::add::copy(from, to, "));
    // A buffer is viewed once, though it is read by two names.
    assert_eq!(expansion.matches("let b = &*a;").count(), 2);
    assert_eq!(expansion.matches("rt::add::forward(a, b, y)").count(), 2);
    // Dropout is the identity at inference.
    let infer = expansion.split("fn infer(").nth(1).and_then(|text| text.split("fn train_forward(").next());
    assert!(!infer.expect("both passes").contains("dropout"));
}

#[test]
fn a_conditional_network_is_conditional_as_a_whole() {
    let mut net = net(Some(residual()));
    net.attrs = vec![syn::parse_quote!(#[cfg(feature = "net")]), syn::parse_quote!(#[derive(Clone)])];
    let text = text(&net);
    assert_eq!(text.matches("#[cfg(feature = \"net\")]").count(), 2);
    assert_eq!(text.matches("#[derive(Clone)]").count(), 1);
}

/// The names that a text binds: parameters, and what `let` takes apart.
fn bindings(text: &str) -> HashSet<&str> {
    let between =
        |part: &'static str, close: char| text.split(part).skip(1).filter_map(move |rest| rest.split(close).next());
    let parameters = between("fn ", '{').filter_map(|head| head.split_once('(')).flat_map(|(_, list)| list.split(','));
    let parameters = parameters.filter_map(|parameter| parameter.split_once(':')).map(|(name, _)| name);
    let names = parameters.chain(between("let [", ']').flat_map(|names| names.split(','))).map(str::trim);
    names.filter(|name| syn::parse_str::<Ident>(name).is_ok()).collect()
}

#[test]
fn the_runtime_hides_what_the_user_calls_like_a_binding() {
    let names = include_str!("../../../../cnn-runtime/src/names.rs");
    let hidden: HashSet<_> = names.split("bindings! {").nth(1).expect("the list").split_whitespace().collect();
    let program = include_str!("../../../../tests/ui/pass/every_layer.rs");
    let source = program.split("cnn! {").nth(1).and_then(|rest| rest.split("\n}").next()).expect("the network");
    let every = crate::expand(source.parse().expect("the network lexes"));
    let every = prettyplease::unparse(&syn::parse2(every).expect("the expansion is Rust"));
    let texts = [every, expansion(&residual()), text(&net(None))];
    let bound: HashSet<_> = texts.iter().flat_map(|text| bindings(text)).collect();
    for name in ["p", "batch", "want_input", "d_scale", "io", "argmax"] {
        assert!(bound.contains(name), "{name}");
    }
    assert_eq!(bound.difference(&hidden).next(), None);
}

#[test]
fn a_stub_has_the_types_and_no_absurd_arrays() {
    let mut net = net(None);
    let stub = text(&net);
    assert!(stub.contains("type Input = [[[f32; 3]; 2]; 1];\n        type Output = [f32; 3];"));
    net.output = Shape::Flat(usize::MAX);
    assert!(text(&net).contains("type Output = [f32; 1];"));
}
