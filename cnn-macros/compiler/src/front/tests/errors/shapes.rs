//! Layers that do not go with their input.

use super::{check, errors};

#[test]
fn each_mistake_is_marked_and_explained() {
    check(&[
        (
            "A <1x8x8> -> pool(2) -> relu -> conv(6, 5x5) -> fc(3)",
            "5x5",
            "`conv1`: 5x5 does not fit 4x4: use 3x3, `same` or `p1`, or drop `pool1` (layer 1)",
        ),
        (
            "A <1x4x4> -> conv(6, 3x3, d2)",
            "3x3",
            "`conv1`: 3x3 with dilation 2 spans 5x5, which does not fit 4x4: use 1x1, `d1`, `same` or `p1`",
        ),
        ("A <1x4x9> -> pool(5x3)", "5x3", "`pool1`: 5x3 does not fit 4x9: use 4x3, `same`, `p1x0` or `global`"),
        (
            "A <1x4x4> -> conv(6, 7x7, p1)",
            "7x7",
            "`conv1`: 7x7 does not fit 4x4 padded to 6x6: use 5x5, `same` or `p2`",
        ),
        ("A <1x4x4> -> avgpool(6)", "6", "`avgpool1`: 6x6 does not fit 4x4: use 4, `same`, `p1` or `global`"),
        (
            "A <6x28x28> -> conv(16, 5x5, g4)",
            "g4",
            "`conv1`: 4 groups do not divide the 6 input channels (6 = 4 * 1 + 2): use `g2`",
        ),
        (
            "A <6x28x28> -> conv(9, 5x5, g2)",
            "g2",
            "`conv1`: 2 groups do not divide the 9 output channels (9 = 2 * 4 + 1): use `g1` or `g3`",
        ),
        (
            "A <12x28x28> -> conv(8, 5x5, g3)",
            "g3",
            "`conv1`: 3 groups do not divide the 8 output channels (8 = 3 * 2 + 2): use `g2` or `g4`",
        ),
        (
            "A <16x5x5> -> fc(401 -> 120)",
            "401 -> 120",
            "`fc1`: it expects 401 inputs and gets 16 * 5 * 5 = 400: write `fc(400 -> 120)` or `fc(120)`",
        ),
        (
            "A <16x5x5> -> fc(120) -> fc(84 -> 10)",
            "84 -> 10",
            "`fc2`: it expects 84 inputs and gets 120: write `fc(120 -> 10)` or `fc(10)`",
        ),
        (
            "A <1x28x28> -> fc(10) -> relu -> conv(3, 3x3)",
            "conv(3, 3x3)",
            "`conv1`: conv works on maps, and its input is flat, 10 features: move it before `fc1` (layer 1), which flattened the map",
        ),
        (
            "A <1x28x28> -> flatten -> pool(2)",
            "pool(2)",
            "`pool1`: pool works on maps, and its input is flat, 784 features: move it before `flatten1` (layer 1), which flattened the map",
        ),
        (
            "A <1x28x28> -> flatten -> lrn -> fc(10)",
            "lrn",
            "`lrn1`: lrn works on maps, and its input is flat, 784 features: move it before `flatten1` (layer 1), which flattened the map",
        ),
        (
            "A <1x28x28> -> fc(10) -> shortcut(10)",
            "shortcut(10)",
            "`shortcut1`: shortcut works on maps, and its input is flat, 10 features: move it before `fc1` (layer 1), which flattened the map",
        ),
        (
            "A <1x28x28> -> pool(3, p2)",
            "p2",
            "`pool1`: padding 2 is more than half of the 3x3 window: use at most `p1`",
        ),
        ("A <1x28x28> -> pool(1, p1)", "p1", "`pool1`: padding 1 is more than half of the 1x1 window: remove it"),
        (
            "A <1x2x2> -> pool(2, d3, same)",
            "pool(2, d3, same)",
            "`pool1`: dilation 3 steps over the whole 2x2 input: use at most `d2`",
        ),
        (
            "A <1x800x800> -> pool(global)",
            "global",
            "`pool1`: a max pooling window of 800x800 has more than 65536 pixels: pool in two steps",
        ),
        (
            "A <1x800x800> -> pool(300, s1)",
            "300",
            "`pool1`: a max pooling window of 300x300 has more than 65536 pixels: pool in two steps",
        ),
        (
            "A <99999999x99999999x99999999> -> fc(10)",
            "<99999999x99999999x99999999>",
            "an input of 999,999,970,000,000,299,999,999 elements: at most 2,147,483,648 (2^31) are possible",
        ),
        (
            "A <18446744073709551615x18446744073709551615x18446744073709551615> -> fc(10)",
            "<18446744073709551615x18446744073709551615x18446744073709551615>",
            "an input of too many elements: at most 2,147,483,648 (2^31) are possible",
        ),
        (
            "A <1x1000x1000> -> conv(100000, 3x3)",
            "conv(100000, 3x3)",
            "`conv1`: the output 100000x998x998 has 99,600,400,000 elements: at most 2,147,483,648 (2^31) are possible",
        ),
        (
            "A <1x1000x1000> -> fc(100000)",
            "fc(100000)",
            "`fc1`: 100,000,100,000 parameters here make 100,000,100,000 in all: at most 8,589,934,592 (2^33) are possible",
        ),
        (
            "A <1x40000x40000> -> upsample(2)",
            "upsample(2)",
            "`upsample1`: the output 1x80000x80000 has 6,400,000,000 elements: at most 2,147,483,648 (2^31) are possible",
        ),
        (
            "A <1x40000x40000> -> pad(10000)",
            "pad(10000)",
            "`pad1`: the output 1x60000x60000 has 3,600,000,000 elements: at most 2,147,483,648 (2^31) are possible",
        ),
        (
            "A <4x8x8> -> dwconv(3x3, m2147483648)",
            "dwconv(3x3, m2147483648)",
            "`dwconv1`: the output 8589934592x6x6 has 309,237,645,312 elements: at most 2,147,483,648 (2^31) are possible",
        ),
        (
            "A <4x8x8> -> conv(8, 3x3, p2147483648)",
            "conv(8, 3x3, p2147483648)",
            "`conv1`: the output 8x4294967302x4294967302 has 147,573,953,001,993,273,632 elements: at most 2,147,483,648 (2^31) are possible",
        ),
        (
            "A <4x8x8> -> conv(8, 3x3, s1, d2147483648)",
            "3x3",
            "`conv1`: 3x3 with dilation 2147483648 spans 4294967297x4294967297, which does not fit 8x8: use 1x1, `d3` or `same`",
        ),
        (
            "A <1x8x8> -> conv(4, 3x3, s536870912)",
            "conv(4, 3x3, s536870912)",
            "`conv1`: its windows walk over 536870923x536870923 pixels: at most 144,115,188,075,855,871 can be addressed: use a smaller stride, dilation or padding",
        ),
        (
            "A <1x8x8> -> dwconv(1x1, d536870912)",
            "dwconv(1x1, d536870912)",
            "`dwconv1`: its windows walk over 536870928x536870928 pixels: at most 144,115,188,075,855,871 can be addressed: use a smaller stride, dilation or padding",
        ),
        (
            "A <1x8x8> -> pool(2, s536870912)",
            "pool(2, s536870912)",
            "`pool1`: its windows walk over 536870922x536870922 pixels: at most 144,115,188,075,855,871 can be addressed: use a smaller stride, dilation or padding",
        ),
        (
            "A <1x1x1> -> conv_transpose(4, 1x1, s536870912)",
            "conv_transpose(4, 1x1, s536870912)",
            "`conv_transpose1`: its windows walk over 536870914x536870914 pixels: at most 144,115,188,075,855,871 can be addressed: use a smaller stride, dilation or padding",
        ),
        (
            "A <1x8x8> -> shortcut(4, s536870912)",
            "shortcut(4, s536870912)",
            "`shortcut1`: its windows walk over 536870921x536870921 pixels: at most 144,115,188,075,855,871 can be addressed: use a smaller stride, dilation or padding",
        ),
        ("A <4x8x8> -> id", "id", "a network needs at least one layer that computes something: `id` alone is none"),
        (
            "A <4x8x8> -> x = relu -> conv(3, 3x3) -> add(x, x)",
            "conv",
            "`conv1`: its output is never used, because every branch after it begins with another value: remove it, or add a branch that begins with `id`",
        ),
        (
            "A <28x28x3> -> conv(6, 5x5) -> fc(10)",
            "5x5",
            "`conv1`: 5x5 does not fit 28x3: use 5x3, `same` or `p0x1`, or declare `<3x28x28>`: channels come first",
        ),
        ("A <3x3x3> -> conv(6, 5x5)", "5x5", "`conv1`: 5x5 does not fit 3x3: use 3x3, `same` or `p1`"),
        (
            "A <1x9x9> -> conv(3, 3x3) * 6 -> fc(10)",
            "3x3",
            "`conv5`: 3x3 does not fit 1x1: use 1x1, `same` or `p1`, or repeat it at most 4 times",
        ),
        (
            "A <1x4x4> -> (conv(3, 3x3) -> relu) * 2 -> fc(10)",
            "3x3",
            "`conv2`: 3x3 does not fit 2x2: use 1x1, `same` or `p1`, or do not repeat it",
        ),
    ]);
}

#[test]
fn a_pool_steps_over_neither_axis() {
    let message = |layer: &str| errors(&format!("A <1x4x2> -> {layer}")).pop().map(|error| error.message);
    for (layer, fix) in [("pool(2, s1, d5, p3)", "d4x2"), ("pool(2x1, s1, d5x3, p2x0)", "d4x3")] {
        let message = message(layer).expect("an error");
        assert!(message.ends_with(&format!(" steps over the whole 4x2 input: use at most `{fix}`")), "{message}");
    }
    assert_eq!((message("pool(2, s1, d4x2, p2x1)"), message("pool(2x1, s1, d4x3, p2x0)")), (None, None));
}

#[test]
fn other_shapes_have_as_many_elements_or_grow_from_one() {
    check(&[
        (
            "A <4x8x8> -> reshape",
            "reshape",
            "`reshape1`: the shape is missing: write for example `reshape(8x4x4)` or `reshape(128)`",
        ),
        (
            "A <4x8x8> -> reshape(5x8x8)",
            "5x8x8",
            "`reshape1`: 4 * 8 * 8 = 256 elements cannot be read as 5 * 8 * 8 = 320 elements: write `reshape(4x8x8)`",
        ),
        (
            "A <4x8x8> -> fc(10) -> reshape(2x2x2)",
            "2x2x2",
            "`reshape1`: 10 elements cannot be read as 2 * 2 * 2 = 8 elements: write `reshape(10)`",
        ),
        (
            "A <4x8x8> -> reshape(4x64)",
            "4x64",
            "`reshape1`: a shape has three sizes, or one if it is flat, not `4x64`: write for example `reshape(8x4x4)` or `reshape(128)`",
        ),
        ("A <4x8x8> -> reshape(0x8x8)", "0x8x8", "`reshape1`: a size of the shape = 0: at least 1 is needed"),
        (
            "A <4x1x8> -> expand(5x8x8)",
            "5x8x8",
            "`expand1`: 4x1x8 cannot be repeated to 5x8x8: only an axis of size 1 grows: write `expand(4x8x8)`",
        ),
        (
            "A <4x8x8> -> expand(4x16x8)",
            "4x16x8",
            "`expand1`: 4x8x8 cannot be repeated to 4x16x8: only an axis of size 1 grows: leave the layer out",
        ),
        (
            "A <4x8x8> -> fc(4) -> expand(4x8x8)",
            "4x8x8",
            "`expand1`: 4 cannot be repeated to 4x8x8: only an axis of size 1 grows: write `reshape(4x1x1)` before it",
        ),
        (
            "A <4x8x8> -> permute",
            "permute",
            "`permute1`: the order of the axes is missing: write `permute(cwh)`, `permute(hcw)`, `permute(hwc)`, `permute(wch)` or `permute(whc)`",
        ),
        ("A <4x8x8> -> permute(hwc, whc)", "whc", "`permute1`: two orders exclude each other: keep one"),
        ("A <4x8x8> -> permute(nhwc)", "nhwc", "`permute1`: no option is called `nhwc`; did you mean `hwc`?"),
        (
            "A <4x8x8> -> flatten -> permute(hwc)",
            "permute(hwc)",
            "`permute1`: permute works on maps, and its input is flat, 256 features: move it before `flatten1` (layer 1), which flattened the map",
        ),
        (
            "A <7x3x2> -> expand(64)",
            "64",
            "`expand1`: 7x3x2 cannot be repeated to 64: only an axis of size 1 grows: leave the layer out",
        ),
        (
            "A <7x3x2> -> expand(42)",
            "42",
            "`expand1`: 7x3x2 cannot be repeated to 42: only an axis of size 1 grows: write `flatten` before it",
        ),
        (
            "A <2x2x2> -> flatten -> expand(4x2x2)",
            "4x2x2",
            "`expand1`: 8 cannot be repeated to 4x2x2: only an axis of size 1 grows: write `reshape(4x2x1)` before it",
        ),
    ]);
}
