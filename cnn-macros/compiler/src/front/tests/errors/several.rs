//! Several mistakes at once, follow-up errors that must stay silent, and the notes.

use super::{errors, marked};

fn marks(source: &str) -> Vec<String> {
    errors(source).iter().map(|error| marked(source, error)).collect()
}

#[test]
fn independent_mistakes_come_out_together() {
    let source = "A <1x28x28> -> conv(0, 3x3) -> relu -> conv(6, 3x3, sane) -> fc(10) -> conv(3, 3x3) -> dropout(2)";
    assert_eq!(marks(source), ["0", "sane", "conv(3, 3x3)", "2"]);
    let source =
        "block b(c) = conv(c, 3x3, s0); A <1x8x8> -> covn(3) -> b(1, 2); B <1x0x8> -> x = relu; C <1x8x8> -> b(3)";
    assert_eq!(marks(source), ["s0", "covn", "2", "<1x0x8>", "x"]);
}

#[test]
fn what_follows_from_a_mistake_is_not_reported() {
    for source in [
        "A <1x28x28> -> conv(6, 30x30) -> pool(2) -> conv(16, 5x5) -> pool(2) <16x5x5> -> fc(401)",
        "A <1x28x28> -> conv(6, 5x5) <6x28x28> -> pool(2) <6x14x14> -> conv(16, 5x5) <16x10x10> -> pool(2) <16x5x5>",
        "A <1x28x28> -> conv(6, 5x5, same, p1) -> add(conv(7, 3x3), conv(8, 1x1)) -> fc(10)",
        "A <1x28x28> -> covn(6, 5x5) -> pool(99) -> conv(8, 99x99) -> fc(5 -> 10)",
        "A <1x28x28> -> x = covn(6, 5x5) -> relu -> add(id, x)",
        "A <28x28> -> conv(6, 99x99) -> fc(3)",
        "A <1x28x28> -> add(id, conv(6, 3x3)) -> conv(6, 99x99)",
        "A <42x1x1> -> reshape(45) -> fc(42 -> 5)",
        "A <4x1x8> -> expand(5x8x8) -> sub(id, conv(4, 1x1))",
        "A <4x8x8> -> pool = relu -> add(id, pool)",
        "A <4x8x8> -> A = relu -> add(id, A)",
        "block b(c) = fc(c); N <4x8x8> -> b = relu -> add(id, b)",
        "block relu(c) = conv(c, 3x3); A <1x8x8> -> relu(4) -> relu",
    ] {
        assert_eq!(errors(source).len(), 1, "{source}: {:?}", marks(source));
    }
}

#[test]
fn a_wrong_name_is_wrong_in_its_item_alone() {
    let source = "A <4x8x8> -> pool = relu -> add(id, pool); B <4x8x8> -> add(id, pool)";
    assert_eq!(marks(source), ["pool", "pool"]);
}

#[test]
fn a_known_shape_ends_the_silence() {
    let source = "A <1x28x28> -> covn(6, 5x5) <6x24x24> -> pool(2) -> conv(8, 13x13) -> fc(10) -> pool(2)";
    assert_eq!(marks(source), ["covn", "13x13", "pool(2)"]);
}

#[test]
fn only_a_layer_that_flattens_is_said_to() {
    for (layers, fix) in [
        ("relu <64>", "a map `<CxHxW>` is needed"),
        ("flatten <64>", "move it before `flatten1` (layer 2), which flattened the map"),
        ("fc(64) -> relu", "move it before `fc1` (layer 2), which flattened the map"),
    ] {
        let last = errors(&format!("A <1x8x8> -> conv(0, 1x1) -> {layers} -> pool(2)")).pop().expect("two errors");
        assert!(last.message.ends_with(fix), "{}", last.message);
    }
}

#[test]
fn the_trail_of_shapes_is_cut_in_the_middle() {
    let source = "A <1x64x64> -> (conv(3, 3x3) -> relu) * 6 -> pool(2) -> conv(9, 99x99)";
    let notes = &errors(source)[0].notes;
    let trail =
        "shapes: 1x64x64 -> conv1 3x62x62 -> conv2 3x60x60 -> ... -> conv5 3x54x54 -> conv6 3x52x52 -> pool1 3x26x26";
    assert_eq!(notes, &[trail]);
}

#[test]
fn an_error_inside_a_block_names_the_calls() {
    let source =
        "block inner(k) = conv(4, k);\nblock outer(k) = inner(k) -> relu;\nA <1x8x8>\n  -> outer(3) -> outer(9)";
    let all = errors(source);
    assert_eq!(all.len(), 1);
    let text = "`outer2.inner1.conv1`: 9x9 does not fit 6x6: use 5x5, `same` or `p2`
  shapes: 1x8x8 -> outer1.inner1.conv1 4x6x6
  in block `inner`, called at 2:18
  in block `outer`, called at 4:18";
    assert_eq!(all[0].text(), text);
}

#[test]
fn branches_that_differ_show_both_places() {
    let source = "A <4x8x8> -> conv(4, 1x1)\n  -> add(conv(8, 3x3, s2, p1) -> bn,\n         id)";
    let all = errors(source);
    let text = "`add1`: the branches of add differ: 4x8x8 here, 8x4x4 in the other: write `-> shortcut(8, s2)` at the end of this branch
  branch 1 at 2:10: 8x4x4 (4x8x8 -> conv2 8x4x4)
  branch 2 at 3:10: 4x8x8 (4x8x8)";
    assert_eq!(all[0].text(), text);
}

#[test]
fn a_mistake_in_a_block_counts_once() {
    let source = "block b(c) = conv(c, 3x3, t1) -> pool(0); A <1x64x64> -> b(3) * 9 -> b(4); B <1x64x64> -> b(3)";
    assert_eq!(marks(source), ["t1", "0"]);
}

#[test]
fn a_mistake_in_what_is_repeated_counts_once() {
    let source = "block b = x = relu -> conv(3, 3x3) -> add(x, x); A <4x8x8> -> b * 9; C <4x8x8> -> b";
    assert_eq!(marks(source), ["conv"]);
    assert_eq!(errors(source)[0].notes, ["in block `b`, called at 1:63"]);
    assert_eq!(marks("B <4x8x8> -> relu; block u = B -> pad(1); A <4x9x9> -> u * 3; C <4x9x9> -> u"), ["B"]);
}

#[test]
fn a_limit_that_all_networks_share_is_passed_once() {
    let networks = |count: usize| (0..count).map(|index| format!("A{index} <1x8x8> -> b;")).collect::<String>();
    assert_eq!(marks(&format!("block b = relu * 4096; {}", networks(9))).len(), 1);
    let row = |step: &str| vec![step; 64].join(" -> ");
    let steps = format!("block d = {}; block c = {}; block b = relu -> {};", row("id"), row("d"), row("c"));
    assert_eq!(marks(&(steps + &networks(9))).len(), 1);
}

#[test]
fn a_network_with_errors_keeps_its_type_and_its_neighbours() {
    let source = "#[derive(Clone)] pub A <1x28x28> -> covn(3) -> fc(10); B <1x8x8> -> fc(3); A <1x8x8> -> relu";
    let (networks, diagnostics) = super::analyse(source.parse().expect("test source lexes"));
    assert_eq!(diagnostics.into_vec().len(), 2);
    let seen: Vec<_> = networks.iter().map(|network| (network.name.to_string(), network.graph.is_some())).collect();
    assert_eq!(seen, [("A".to_string(), false), ("B".to_string(), true)]);
    assert_eq!(networks[0].attrs.len(), 1);
    assert_eq!(networks[0].output.to_string(), "10");
}

#[test]
fn a_forgotten_semicolon_costs_no_network() {
    // There is no such model, which is a mistake of its own.
    let model = "\"none.onnx\"";
    for (source, places, names) in [
        ("A <1x8x8> -> relu /// Second.\n pub B <1x8x8> -> fc(3)", &["/// Second."][..], &["A", "B"][..]),
        ("A <1x8x8> -> relu #[derive(Clone)] /** 2 */ B <1x8x8> -> fc(3)", &["#[derive(Clone)]"], &["A", "B"]),
        ("<1x8x8> relu /// Second.\n block _b = relu", &["/// Second."], &["Net"]),
        ("A <1x8x8> -> relu B = onnx \"none.onnx\"", &["B", model], &["A", "B"]),
        ("B = onnx \"none.onnx\" embed A <1x8x8> -> relu", &[model, "A"], &["B", "A"]),
    ] {
        let (networks, diagnostics) = super::analyse(source.parse().expect("test source lexes"));
        let found: Vec<String> = networks.iter().map(|network| network.name.to_string()).collect();
        assert_eq!(found, names, "{source}");
        let errors = diagnostics.into_vec();
        assert_eq!(errors.iter().map(|error| marked(source, error)).collect::<Vec<_>>(), places, "{source}");
        assert!(errors.iter().any(|error| error.message.starts_with("a `;` is missing before ")), "{source}");
    }
}

#[test]
fn a_network_that_ends_in_a_wrong_shape_has_that_shape() {
    let source = "A <42x1x1> -> reshape(5x3x3); B <2x3x4> -> expand(7x3x4)";
    let (networks, diagnostics) = super::analyse(source.parse().expect("test source lexes"));
    assert_eq!(diagnostics.into_vec().len(), 2);
    let outputs: Vec<_> = networks.iter().map(|network| network.output.to_string()).collect();
    assert_eq!(outputs, ["5x3x3", "7x3x4"]);
}
