//! Arguments of layers that move or resample pixels.

use super::check;

#[test]
fn padding_of_four_sides() {
    check(&[
        (
            "A <1x8x8> -> conv(6, 5x5, p1x2x3)",
            "p1x2x3",
            "`conv1`: padding of 3 sizes: write `p1x2`, or `p1x2x3x2` for top, left, bottom and right",
        ),
        ("A <1x8x8> -> conv(6, 5x5, s1x2x3)", "s1x2x3", "`conv1`: stride of 3 sizes: write `s1x2`"),
        ("A <1x8x8> -> conv(6, 5x5, s1x2x3x4)", "s1x2x3x4", "`conv1`: stride has two sizes, not four: write `s1x2`"),
        ("A <1x8x8> -> conv(6, 5x5, g1x2x3x4)", "g1x2x3x4", "`conv1`: groups is one number: write `g1`"),
        (
            "A <1x8x8> -> pool(3, p0x0x0x2)",
            "p0x0x0x2",
            "`pool1`: padding 0x0x0x2 is more than half of the 3x3 window: use at most `p1`",
        ),
        (
            "A <1x8x8> -> pad(1x2x3)",
            "1x2x3",
            "`pad1`: padding has two or four sizes, not `1x2x3`: write for example `pad(1)` or `pad(1x2)`",
        ),
        (
            "A <1x4x4> -> conv(6, 7x7, p0x1x1x1)",
            "7x7",
            "`conv1`: 7x7 does not fit 4x4 padded to 5x6: use 5x5, `same` or `p2`",
        ),
    ]);
}

#[test]
fn words_of_pools() {
    check(&[
        (
            "A <1x8x8> -> conv(6, 5x5, ceil)",
            "ceil",
            "`conv1`: no option is called `ceil`: write for example `conv(6, 5x5, s1, p2)`",
        ),
        (
            "A <1x8x8> -> pool(2, excludepad)",
            "excludepad",
            "`pool1`: no option is called `excludepad`: write for example `pool(2, s2)` or `pool(global)`",
        ),
        (
            "A <1x8x8> -> avgpool(global, excludepad)",
            "excludepad",
            "`avgpool1`: `global` takes the whole map as its window: write `avgpool(global)`",
        ),
        ("A <1x8x8> -> pool(2, ceil, ceil)", "ceil", "`pool1`: `ceil` is given twice, first at 1:22"),
        (
            "A <1x8x8> -> avgpool(11, s3, ceil)",
            "11",
            "`avgpool1`: 11x11 does not fit 8x8: use 8, `same`, `p2` or `global`",
        ),
    ]);
}

#[test]
fn transposed_convolutions() {
    check(&[
        (
            "A <1x8x8> -> conv_transpose(6)",
            "conv_transpose(6)",
            "`conv_transpose1`: the kernel is missing: write `conv_transpose(6, 3x3, p1)`",
        ),
        (
            "A <1x8x8> -> conv_transpose(6, 2x2, s2, same)",
            "same",
            "`conv_transpose1`: no option is called `same`: write for example `conv_transpose(6, 2x2, s2)`",
        ),
        (
            "A <1x1x1> -> conv_transpose(6, 4x4, p2)",
            "p2",
            "`conv_transpose1`: padding 2 leaves nothing of 4x4: use at most `p1`",
        ),
        (
            "A <3x8x8> -> conv_transpose(6, 2x2, g2)",
            "g2",
            "`conv_transpose1`: 2 groups do not divide the 3 input channels (3 = 2 * 1 + 1): use `g1` or `g3`",
        ),
        (
            "A <1x8x8> -> conv_transpose(6, 5, 3x3)",
            "3x3",
            "`conv_transpose1`: `3x3` is one number too many: the input channels are known and not written: write `conv_transpose(5, 3x3)`",
        ),
        (
            "A <1x8x8> -> conv(6, 3x3, o1)",
            "o1",
            "`conv1`: no option `o1`, only `s`, `p`, `d` or `g`: write for example `conv(6, 5x5, s1, p2)`",
        ),
    ]);
}

#[test]
fn resized_maps() {
    check(&[
        (
            "A <1x8x8> -> resize(bilinear)",
            "resize(bilinear)",
            "`resize1`: the size is missing: write for example `resize(224x224, bilinear)`",
        ),
        ("A <1x8x8> -> resize(0x5)", "0x5", "`resize1`: size = 0: at least 1 is needed"),
        (
            "A <1x8x8> -> resize(5x5, asymmetric, half_pixel)",
            "half_pixel",
            "`resize1`: `asymmetric` and `half_pixel` exclude each other: keep one",
        ),
        (
            "A <1x8x8> -> resize(5x5, floor, bilinear)",
            "floor",
            "`resize1`: `floor` says how `nearest` rounds: remove it, or `bilinear`",
        ),
        ("A <1x8x8> -> resize(5x5, scale_h = 0)", "scale_h = 0", "`resize1`: scale_h = 0: it must be positive"),
        (
            "A <1x8x8> -> flatten -> resize(5x5)",
            "resize(5x5)",
            "`resize1`: resize works on maps, and its input is flat, 64 features: move it before `flatten1` (layer 1), which flattened the map",
        ),
    ]);
}

#[test]
fn what_padding_holds() {
    check(&[
        (
            "A <1x4x9> -> pad(4, reflect)",
            "4",
            "`pad1`: padding 4 reflects more than there is beside the outer pixels of 4x9: use at most 3x8, or `edge`",
        ),
        (
            "A <1x1x1> -> pad(1, reflect)",
            "1",
            "`pad1`: padding 1 reflects more than there is beside the outer pixels of 1x1: use `edge`",
        ),
        ("A <1x8x8> -> pad(1, edge, reflect)", "reflect", "`pad1`: `edge` and `reflect` exclude each other: keep one"),
        ("A <1x8x8> -> pad(1, value = 2, edge)", "edge", "`pad1`: `value` and `edge` exclude each other: keep one"),
        ("A <1x8x8> -> pad(1, value = 1e300)", "value = 1e300", "`pad1`: value = 1e300: it must be a finite number"),
        ("A <1x8x8> -> pad(1, 2)", "2", "`pad1`: `2` is one number too many: write for example `pad(1)` or `pad(1x2)`"),
    ]);
}
