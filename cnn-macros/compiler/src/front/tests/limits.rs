//! Inputs that are meant to be too much: each is answered, and soon.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::analyse;
use crate::compile::compile;
use crate::testing::compared;

/// The most layers that are emitted here, each of which takes as long as any other: not so long as a test of thousands.
const EMITTED: usize = 512;

/// Compiles a source in bounded time, on a small stack, and returns the first error's message.
fn first_error(source: String) -> Option<String> {
    const BOUND: Duration = Duration::from_secs(20);
    let work = move || {
        let start = Instant::now();
        let (networks, diagnostics) = analyse(source.parse().expect("test source lexes"));
        let mut nodes = 0;
        for (network, graph) in networks.iter().filter_map(|network| Some((network, network.graph.as_ref()?))) {
            let compiled = compile(graph);
            nodes += graph.nodes.len();
            if nodes <= EMITTED {
                assert!(!crate::emit::network(network, Some(&compiled)).is_empty());
            }
        }
        assert!(nodes <= 32_768, "{nodes} nodes");
        let errors = diagnostics.into_vec();
        assert!(errors.iter().all(|error| error.text().len() < 4096), "a message floods the screen");
        assert!(start.elapsed() < BOUND, "took {:?}", start.elapsed());
        assert!(compared() <= 1 << 19, "{} names compared", compared());
        errors.into_iter().next().map(|error| error.message)
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(work).expect("a thread starts");
    thread.join().expect("no panic")
}

fn contains(source: String, text: &str) {
    let message = first_error(source).unwrap_or_default();
    assert!(message.contains(text), "{message}");
}

#[test]
fn repeats_are_counted_before_they_are_unfolded() {
    contains("A <1x8x8> -> relu * 100000".into(), "at most `* 4096` fits");
    contains("A <1x8x8> -> ((((relu * 4000) * 4000) * 4000) * 4000) * 4000".into(), "4000 times 4000");
    contains(format!("A <1x8x8> -> relu * {}", usize::MAX), "fits here");
    assert_eq!(first_error("A <1x8x8> -> relu * 4096".into()), None);
    assert_eq!(first_error(format!("A <1x8x8> -> (id * {}) * {} -> relu", usize::MAX, usize::MAX)), None);
}

#[test]
fn long_networks_are_compiled_or_refused() {
    let chain = |layers: usize| format!("A <1x8x8> {}", "-> conv(1, 3x3, p1) ".repeat(layers));
    assert_eq!(first_error(chain(4096)), None);
    contains(chain(10_000), "at most 4096 layers");
    let mut skips = String::from("A <1x8x8> -> x0 = relu");
    for index in 1..2000 {
        let _ = write!(skips, " -> x{index} = add(id, x{})", index - 1);
    }
    assert_eq!(first_error(skips + " -> add(id, x1999)"), None);
}

#[test]
fn wide_joins_are_refused() {
    for join in ["add", "concat"] {
        contains(format!("A <1x8x8> -> {join}({})", "id, ".repeat(100_000)), "joins at most 256");
        assert_eq!(first_error(format!("A <1x8x8> -> {join}({})", "id, ".repeat(256))), None);
    }
    // Each value is read by all after it.
    let mut dense = String::from("A <1x8x8> -> x0 = relu");
    for index in 1..250 {
        let earlier: String = (0..index).map(|value| format!(", x{value}")).collect();
        let _ = write!(dense, " -> x{index} = add(id{earlier})");
    }
    contains(dense, "read more than 16384 values together");
}

#[test]
fn blocks_that_multiply_are_stopped() {
    for (body, limit) in [("relu", "at most 4096"), ("id", "unfolds to more than")] {
        let calls = |callee: &str| vec![callee; 64].join(" -> ");
        let source = format!("block c = {}; block b = {}; block a = {};", calls(body), calls("c"), calls("b"));
        contains(source + "A <1x8x8> -> a", limit);
    }
    contains("block c = relu * 64; block b = c * 64; block a = b * 64; A <1x8x8> -> a".into(), "4096 layers makes");
    contains("block c = add(relu, relu); A <1x8x8> -> (c * 64) * 64".into(), "192 layers makes");
}

#[test]
fn texts_of_any_length_are_quoted_in_part() {
    let long = "x".repeat(100_000);
    for source in [
        format!("A <1x8x8> -> {long}"),
        format!("A <1x8x8> -> fc({})", "9".repeat(100_000)),
        format!("A <1x8x8> -> conv(3, {})", vec!["1"; 50_000].join("x")),
        format!("A <{}> -> fc(3)", vec!["1"; 50_000].join("x")),
        format!("{long} -> fc(3)"),
        format!("block {long}(c) = fc(c); A <1x8x8> -> {long}"),
    ] {
        assert!(first_error(source).is_some());
    }
}

#[test]
fn endless_rows_of_signs_are_read_flat() {
    for (sign, count) in [("x: ", 20_000), ("x = ", 20_000), ("1 * ", 20_000), ("* 2 ", 20_000), ("<1x8x8> ", 20_000)] {
        assert!(first_error(format!("A <1x8x8> -> {}relu", sign.repeat(count))).is_some(), "{sign}");
    }
    for sign in [";", "<", "pub ", "a ", "block b(c) = ", "#[derive(Clone)] ", "fn a <1x8x8> "] {
        assert!(first_error(sign.repeat(20_000)).is_some(), "{sign}");
    }
}

#[test]
fn blocks_that_double_are_stopped() {
    for body in ["relu", "id"] {
        let mut source = format!("block b0 = {body};");
        for level in 1..60 {
            let _ = write!(source, "block b{level} = b{0} -> b{0};", level - 1);
        }
        contains(
            source + "A <1x8x8> -> relu -> b59",
            if body == "id" { "unfolds to more than" } else { "at most 4096" },
        );
    }
}

#[test]
fn deep_blocks_are_refused() {
    let mut source = String::from("block b0 = relu;");
    for level in 1..10_000 {
        let _ = write!(source, "block b{level} = b{};", level - 1);
    }
    contains(source.clone() + "A <1x8x8> -> b9999", "nest deeper than 64");
    assert_eq!(first_error(source + "block _all = b9999; A <1x8x8> -> b40"), None);
    let ring = |length: usize| {
        let blocks = (0..length).map(|level| format!("block b{level} = b{};", (level + 1) % length));
        blocks.collect::<String>() + "A <1x8x8> -> b0"
    };
    contains(ring(50), "`b0` contains itself");
    assert!(first_error(ring(10_000)).is_some());
}

#[test]
fn nesting_is_measured_before_anything_recurses() {
    for depth in [65, 10_000] {
        let (open, close) = ("(".repeat(depth), ")".repeat(depth));
        contains(format!("A <1x8x8> -> {open}relu{close}"), "nest deeper than 64");
        contains(format!("A <1x8x8> -> fc({open}3{close})"), "nest deeper than 64");
    }
    let (open, close) = ("(".repeat(60), ")".repeat(60));
    assert_eq!(first_error(format!("A <1x8x8> -> {open}relu{close} -> fc({open}3{close})")), None);
    assert_eq!(first_error(format!("A <1x8x8> -> {}relu{}", "add(".repeat(40), ", id)".repeat(40))), None);
}

#[test]
fn long_expressions_and_argument_lists_are_flat() {
    assert_eq!(first_error(format!("A <1x8x8> -> fc(1{})", " + 1".repeat(20_000))), None);
    assert_eq!(first_error(format!("A <1x8x8> -> fc({}1)", "- ".repeat(20_000))), None);
    contains(format!("A <1x8x8> -> fc({})", "1, ".repeat(20_000)), "one number too many");
    let params: Vec<String> = (0..5000).map(|index| format!("_x{index} = 1")).collect();
    let source = format!("block b({}) = fc(_x4999); A <1x8x8> -> b * 4000", params.join(", "));
    contains(source, "unfolds to more than");
}

#[test]
fn floods_of_mistakes_are_cut() {
    let unknown: String = (0..5000).map(|index| format!("-> layer{index}(3) ")).collect();
    contains(format!("A <1x8x8> {unknown}"), "no layer or block is called");
    let items: String = (0..3000).map(|index| format!("block block{index} = nothing{index};")).collect();
    contains(format!("{items} A <1x8x8> -> relu"), "called `nothing0`");
    contains("-> ".repeat(20_000), "expected `Name");
    contains(format!("A <1x8x8> {}", "-> ".repeat(20_000)), "a layer is missing");
    contains(format!("A <1x8x8> -> conv({})", ",".repeat(20_000)), "nothing stands before");
}

#[test]
fn names_are_suggested_for_what_is_shown_alone() {
    let list = |item: fn(usize) -> String| (0..10_000).map(item).collect::<Vec<_>>().join(", ");
    let (params, words) = (list(|index| format!("_p{index} = 1")), list(|index| format!("q_{index}")));
    contains(format!("block b({params}) = conv({words}); A <1x8x8> -> b"), "no option is called `q_0`");
    let sums = list(|index| format!("q_{index} + 1"));
    contains(format!("block b({params}) = conv({sums}); A <1x8x8> -> b"), "no parameter is called `q_0`");
    let keys = list(|index| format!("q_{index} = 1"));
    contains(format!("block b({params}) = relu; A <1x8x8> -> b({keys})"), "no parameter is called `q_0`");
    // What was reported in one round of a repeat is not looked for in the next ones.
    contains(format!("block b({params}) = conv(q); A <1x8x8> -> b * 80"), "no option is called `q`");
    contains(format!("block b({params}) = conv(q + 1); A <1x8x8> -> b * 80"), "no parameter is called `q`");
}

#[test]
fn networks_are_counted() {
    let networks = |count: usize| (0..count).map(|index| format!("A{index} <1x8x8> -> relu;")).collect::<String>();
    assert_eq!(first_error(networks(1024)), None);
    contains(networks(1025), "at most 1024 networks");
}

#[test]
fn many_networks_share_one_budget() {
    let mut source = String::from("block b = relu * 4096;");
    for index in 0..200 {
        let _ = write!(source, "A{index} <1x8x8> -> b;");
    }
    contains(source, "layers together");
}

#[test]
fn sizes_near_the_end_of_the_number_line_are_refused() {
    let huge = usize::MAX;
    for layer in [
        format!("conv({huge}, 3x3)"),
        format!("conv(8, {huge}x{huge})"),
        format!("conv(8, 3x3, s{huge}, p{huge}, d{huge})"),
        format!("conv(8, 3x3, same, d{huge})"),
        format!("conv(8, 3x3, g{huge})"),
        format!("dwconv(3x3, m{huge})"),
        format!("pool({huge}, same)"),
        "pool(2147483648, same, d2147483648)".into(),
        format!("fc({huge} -> {huge})"),
        format!("pad({huge})"),
        format!("upsample({huge})"),
        format!("lrn({huge})"),
        format!("shortcut({huge}, s{huge})"),
        format!("relu <{huge}x{huge}x{huge}> -> fc(3)"),
        "conv(8, 3x3, s99999999999999999999999999999999999999999999999999)".into(),
        format!("fc({huge} * {huge} * {huge})"),
    ] {
        assert!(first_error(format!("A <3x9x9> -> {layer}")).is_some(), "{layer}");
    }
    assert!(first_error(format!("A <{huge}x{huge}x{huge}> -> flatten -> fc({huge})")).is_some());
    assert_eq!(first_error("A <1x1x2147483648> -> relu".into()), None);
    assert!(first_error("A <1x46340x46340> -> conv(1, 2147483647x2147483647, same) -> relu".into()).is_some());
}
