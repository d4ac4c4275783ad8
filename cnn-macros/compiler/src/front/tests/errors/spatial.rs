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
