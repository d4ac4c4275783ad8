//! Shapes behind a step.

use super::{check, errors};

#[test]
fn each_mistake_is_marked_and_explained() {
    check(&[
        (
            "A <1x28x28> -> conv(6, 5x5) <6x28x28>",
            "<6x28x28>",
            "`conv1` gives 6x24x24, not 6x28x28 (rows and columns (28 + 0 + 0 - 5) / 1 + 1 = 24): write `<6x24x24>`, or use `p2`",
        ),
        (
            "A <1x28x28> -> conv(6, 5x5, p2) <16x28x28>",
            "<16x28x28>",
            "`conv1` gives 6x28x28, not 16x28x28: write `<6x28x28>`, or ask for 16 output channels",
        ),
        (
            "A <4x8x8> -> dwconv(3x3, p1) <8x8x8>",
            "<8x8x8>",
            "`dwconv1` gives 4x8x8, not 8x8x8: write `<4x8x8>`, or give it `m2`",
        ),
        (
            "A <4x8x8> -> dwconv(3x3, m2) <4x8x8>",
            "<4x8x8>",
            "`dwconv1` gives 8x6x6, not 4x8x8 (rows and columns (8 + 0 + 0 - 3) / 1 + 1 = 6): write `<8x6x6>`, or use `p1` and give it `m1`",
        ),
        ("A <4x8x8> -> dwconv(3x3, p1) <6x8x8>", "<6x8x8>", "`dwconv1` gives 4x8x8, not 6x8x8: write `<4x8x8>`"),
        ("A <6x8x8> -> conv(6, 1x1, g3) <8x8x8>", "<8x8x8>", "`conv1` gives 6x8x8, not 8x8x8: write `<6x8x8>`"),
        (
            "A <6x8x8> -> conv(6, 1x1, g3) <9x8x8>",
            "<9x8x8>",
            "`conv1` gives 6x8x8, not 9x8x8: write `<6x8x8>`, or ask for 9 output channels",
        ),
        (
            "A <1x28x28> -> conv(6, 5x3) <6x23x24>",
            "<6x23x24>",
            "`conv1` gives 6x24x26, not 6x23x24 (rows (28 + 0 + 0 - 5) / 1 + 1 = 24, columns (28 + 0 + 0 - 3) / 1 + 1 = 26): write `<6x24x26>`",
        ),
        (
            "A <1x28x28> -> conv(6, 3x3, s2) <6x14x14>",
            "<6x14x14>",
            "`conv1` gives 6x13x13, not 6x14x14 (rows and columns (28 + 0 + 0 - 3) / 2 + 1 = 13): write `<6x13x13>`, or use `p1`",
        ),
        (
            "A <1x28x28> -> pool(2) <1x13x13>",
            "<1x13x13>",
            "`pool1` gives 1x14x14, not 1x13x13 (rows and columns (28 + 0 + 0 - 2) / 2 + 1 = 14): write `<1x14x14>`",
        ),
        ("A <1x28x28> -> fc(10) <100>", "<100>", "`fc1` gives 10, not 100: write `<10>`, or ask for 100 outputs"),
        (
            "A <1x28x28> -> pool(2) <196>",
            "<196>",
            "`pool1` gives 1x14x14, not 196: write `<1x14x14>`, or add `-> flatten` before the annotation",
        ),
        ("A <1x28x28> -> flatten <1x28x28>", "<1x28x28>", "`flatten1` gives 784, not 1x28x28: write `<784>`"),
        (
            "A <1x28x28> -> id <1x28x29> -> relu",
            "<1x28x29>",
            "the shape here is 1x28x28, not 1x28x29: write `<1x28x28>`",
        ),
        (
            "A <1x28x28> -> relu <3x4>",
            "<3x4>",
            "2 sizes: a map has channels, rows and columns, like `<1x3x4>`, and a flat value has 1, like `<400>`",
        ),
        ("A <1x28x28> -> relu <0>", "<0>", "a size of zero in a shape: every size is at least 1"),
        (
            "A <1x28x28> -> relu <c>",
            "<c>",
            "a shape is whole numbers joined by x without spaces: write `<CxHxW>` or `<N>`, like `<6x28x28>` or `<400>`",
        ),
        (
            "A <1x28x28> -> relu <1x28x28",
            "<",
            "this `<` is never closed: a shape is `<CxHxW>` or `<N>`, like `<6x28x28>` or `<400>`",
        ),
        (
            "A <1x28x28> -> relu <>",
            "<>",
            "a shape is whole numbers joined by x without spaces: write `<CxHxW>` or `<N>`, like `<6x28x28>` or `<400>`",
        ),
        (
            "A <1x28x28> -> relu <1x1x28x28>",
            "<1x1x28x28>",
            "4 sizes: a shape is that of one sample, without the batch: write `<1x28x28>`",
        ),
        (
            "A <1x28x28> -> conv(6, 5x5) <8x28x28> -> fc(10)",
            "<8x28x28>",
            "`conv1` gives 6x24x24, not 8x28x28 (rows and columns (28 + 0 + 0 - 5) / 1 + 1 = 24): write `<6x24x24>`, or use `p2` and ask for 8 output channels",
        ),
        (
            "A <3x28x28> -> pool(2) <8x28x28> -> fc(10)",
            "<8x28x28>",
            "`pool1` gives 3x14x14, not 8x28x28 (rows and columns (28 + 0 + 0 - 2) / 2 + 1 = 14): write `<3x14x14>`",
        ),
    ]);
}

#[test]
fn the_padding_that_is_proposed_gives_the_shape() {
    let wrong = |layer: &str| errors(&format!("A <1x8x8> -> {layer} <1x4x4>")).remove(0).message;
    for (layer, fixes) in [
        ("pool(5, s2)", "write `<1x2x2>`, or use `p2`"),
        // With `ceil` there would be 5x5.
        ("pool(5, s2, ceil)", "write `<1x3x3>`, or use `p1`"),
        ("pool(global)", "write `<1x1x1>`"),
    ] {
        assert!(wrong(layer).ends_with(fixes), "{}", wrong(layer));
    }
    for layer in ["pool(5, s2, p2)", "pool(5, s2, ceil, p1)"] {
        assert!(errors(&format!("A <1x8x8> -> {layer} <1x4x4>")).is_empty(), "{layer}");
    }
}
