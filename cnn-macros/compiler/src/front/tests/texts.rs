//! A layer's text says exactly what is computed: as a user could have written it, with the same node as its meaning.

use super::graph;

/// Asserts the text and the output of each layer, and that its text is read as the same layer.
fn check(cases: &[(&str, &str, &str, &str)]) {
    for (input, layer, text, output) in cases {
        let node = graph(&format!("A <{input}> -> {layer}")).nodes.remove(0);
        assert_eq!((node.text.as_str(), node.output.to_string().as_str()), (*text, *output), "{layer}");
        let again = graph(&format!("A <{input}> -> {text}")).nodes.remove(0);
        assert_eq!((again.op, again.text, again.output), (node.op, node.text, node.output), "{layer}");
    }
}

#[test]
fn padding_is_shown_side_by_side_where_opposite_sides_differ() {
    check(&[
        ("2x9x7", "conv(3, 3x3, p0x1x2x3)", "conv(3, 3x3, s1, p0x1x2x3)", "3x9x9"),
        ("2x9x7", "conv(3, 3x3, p1x2x1x2)", "conv(3, 3x3, s1, p1x2)", "3x9x9"),
        ("2x9x7", "conv(3, 3x3, p0x0x0x0)", "conv(3, 3x3, s1)", "3x7x5"),
        ("2x6x7", "conv(3, 3x3, s2, same)", "conv(3, 3x3, s2, p0x1x1x1)", "3x3x4"),
        ("2x9x7", "dwconv(3x3, p(1x0x0x0))", "dwconv(3x3, s1, p1x0x0x0)", "2x8x5"),
        ("2x9x7", "pool(3, s2, p0x0x1x1)", "pool(3, s2, p0x0x1x1)", "2x4x3"),
        ("2x9x7", "avgpool(2, same)", "avgpool(2, s2, p0x0x1x1)", "2x5x4"),
        ("2x9x7", "pad(0x1x2x3)", "pad(0x1x2x3)", "2x11x11"),
        ("2x9x7", "pad(1x1x1x1)", "pad(1)", "2x11x9"),
    ]);
}

#[test]
fn words_of_pools_are_shown_where_they_change_something() {
    check(&[
        ("2x9x7", "pool(3, s1, p1, ceil)", "pool(3, s1, p1)", "2x9x7"),
        ("2x8x7", "pool(3, s2, ceil)", "pool(3, s2, ceil)", "2x4x3"),
        ("2x2x2", "pool(3, s2, ceil)", "pool(3, s2, ceil)", "2x1x1"),
        ("2x8x7", "avgpool(3, s2, p1x0, ceil)", "avgpool(3, s2, p1x0, ceil)", "2x5x3"),
        ("2x8x7", "avgpool(3, s2, p0x0x1x1, excludepad)", "avgpool(3, s2, p0x0x1x1, excludepad)", "2x4x3"),
        ("2x8x7", "avgpool(3, s2, same, excludepad, ceil)", "avgpool(3, s2, p0x1x1x1, excludepad)", "2x4x4"),
        ("2x8x7", "avgpool(3, s2, excludepad, ceil)", "avgpool(3, s2, ceil)", "2x4x3"),
        ("2x8x7", "avgpool(3, s2, p1, excludepad, ceil)", "avgpool(3, s2, p1, ceil, excludepad)", "2x5x4"),
    ]);
}

#[test]
fn transposed_convolutions_show_what_is_added_behind() {
    check(&[
        ("4x5x3", "conv_transpose(6, 2x2, s2)", "conv_transpose(6, 2x2, s2)", "6x10x6"),
        ("4x5x3", "conv_transpose(6, 3, s2, p1, o1)", "conv_transpose(6, 3x3, s2, p1, o1)", "6x10x6"),
        (
            "4x5x3",
            "conv_transpose(6, 3x2, s2x1, o1x0, d2x1, g2, p0x1x2x0, nobias)",
            "conv_transpose(6, 3x2, s2x1, p0x1x2x0, d2x1, o1x0, g2, nobias)",
            "6x12x3",
        ),
    ]);
    let graph = graph("A <4x5x3> -> conv_transpose(6, 2x2, s2) -> bn");
    assert_eq!(graph.nodes[0].text, "conv_transpose(6, 2x2, s2)");
    assert!(matches!(graph.nodes[0].op, crate::ir::Op::ConvTranspose { bias: false, .. }));
}

#[test]
fn convolutions_show_that_they_are_direct() {
    check(&[
        ("4x9x7", "conv(3, direct, 3x3, p1)", "conv(3, 3x3, s1, p1, direct)", "3x9x7"),
        ("4x9x7", "conv(2, 3x3, nobias, direct, g2)", "conv(2, 3x3, s1, g2, direct, nobias)", "2x7x5"),
        ("4x5x3", "conv_transpose(6, 3x3, o0, direct)", "conv_transpose(6, 3x3, s1, direct)", "6x7x5"),
    ]);
}

#[test]
fn resized_maps_show_all_that_is_not_the_default() {
    check(&[
        ("2x9x7", "resize(5)", "resize(5x5, nearest)", "2x5x5"),
        ("2x9x7", "resize(5x11, half_pixel, bilinear)", "resize(5x11, bilinear)", "2x5x11"),
        ("2x9x7", "resize(5x11, floor, asymmetric)", "resize(5x11, nearest, asymmetric, floor)", "2x5x11"),
        (
            "2x9x7",
            "resize(5x4, align_corners, bilinear, scale_w = 0.6)",
            "resize(5x4, bilinear, align_corners, scale_w=0.6)",
            "2x5x4",
        ),
    ]);
}

#[test]
fn padding_shows_what_it_holds_unless_that_is_zeros() {
    check(&[
        ("2x9x7", "pad(1, value = 0)", "pad(1)", "2x11x9"),
        ("2x9x7", "pad(1x2, value = -2.5)", "pad(1x2, value=-2.5)", "2x11x11"),
        ("2x9x7", "pad(edge, 10)", "pad(10, edge)", "2x29x27"),
        ("2x9x7", "pad(8x0x0x6, reflect)", "pad(8x0x0x6, reflect)", "2x17x13"),
    ]);
}
