//! Blocks, repeats and networks as steps.

use super::check;

#[test]
fn each_mistake_is_marked_and_explained() {
    check(&[
        (
            "block b(c) = conv(c, 1x1) -> b(c); A <4x8x8> -> b(3)",
            "b",
            "`b` contains itself and would never end: repeat a step with `* 3` instead",
        ),
        (
            "block a(c) = b(c); block b(c) = a(c); A <4x8x8> -> a(3)",
            "a",
            "`a` contains itself and would never end: `a` -> `b` -> `a`",
        ),
        ("A <4x8x8> -> B; B <4x8x8> -> relu -> A", "A", "`A` contains itself and would never end: `A` -> `B` -> `A`"),
        ("A <4x8x8> -> relu -> A", "A", "`A` contains itself and would never end: repeat a step with `* 3` instead"),
        (
            "block b(c, s = 1) = conv(c, 1x1, s); A <4x8x8> -> b",
            "b",
            "`b` lacks `c`: `b(c, s = ...)` is defined at 1:7",
        ),
        (
            "block b(c, s) = conv(c, 1x1, s); A <4x8x8> -> b()",
            "b()",
            "`b` lacks `c` and `s`: `b(c, s)` is defined at 1:7",
        ),
        (
            "block b(c, s = 1) = conv(c, 1x1, s); A <4x8x8> -> b(1, 2, 3)",
            "3",
            "argument 3 is too many: `b(c, s = ...)` is defined at 1:7",
        ),
        (
            "block b(width) = conv(width, 1x1); A <4x8x8> -> b(widht = 3)",
            "widht",
            "no parameter is called `widht`; did you mean `width`? `b(width)` is defined at 1:7",
        ),
        (
            "block b(c) = conv(c, 1x1); A <4x8x8> -> b(3, c = 4)",
            "c = 4",
            "`c` is given twice: `b(c)` is defined at 1:7",
        ),
        (
            "block b(c) = fc(c); A <4x8x8> -> b(256 -> 4)",
            "256 -> 4",
            "an arrow cannot be an argument: `b(c)` is defined at 1:7",
        ),
        (
            "block b(c = d, d = 3) = fc(c); A <4x8x8> -> b",
            "d",
            "`d` has no value yet: a default can use only the parameters before it",
        ),
        (
            "block b(c, s = 1) = conv(c, 1x1, s); A <4x8x8> -> b(4, 0)",
            "s",
            "`b1.conv1`: stride = 0 (a window that does not move has no end): at least 1 is needed",
        ),
        (
            "block b(c) = conv(c, 1x1); A <4x8x8> -> b(0) * 3 -> b(0)",
            "c",
            "`b1.conv1`: output channels = 0: at least 1 is needed",
        ),
        (
            "block b(c, stride) = conv(c, 3x3, stride); A <4x8x8> -> b(4, 2)",
            "stride",
            "`b1.conv1`: `2` is one number too many: the parameter `stride` would be an option if it were called `s`, `p`, `d` or `g`",
        ),
        (
            "block b(c, s = 1) = conv(c, 3x3, s); A <4x8x8> -> b(4, 2.0)",
            "s",
            "`b1.conv1`: stride must be a whole number, not 2.0",
        ),
        (
            "block b(s) = pool(s); A <4x8x8> -> b(2)",
            "pool(s)",
            "`b1.pool1`: the kernel is missing: the parameter `s` is an option by its name: call it otherwise",
        ),
        (
            "block b(chan) = conv(chna, 3x3); A <4x8x8> -> b(4)",
            "chna",
            "`b1.conv1`: no option is called `chna`; did you mean `chan`?",
        ),
        ("block b(k) = conv(4, k, p(k / 0)); A <4x8x8> -> b(3) -> b(5)", "p(k / 0)", "3 / 0 has no value"),
        (
            "block b(k) = conv(4, k, t(k / 2)); A <4x8x8> -> b(3)",
            "t(k / 2)",
            "`b1.conv1`: no option `t1`, only `s`, `p`, `d` or `g`: write for example `conv(6, 5x5, s1, p2)`",
        ),
        (
            "block b(k) = conv(4, k, pad(k / 2)); A <4x8x8> -> b(3)",
            "pad(k / 2)",
            "`pad(...)` is no argument: an option with a computed size is written `p(k / 2)`",
        ),
        ("A <4x8x8> -> conv(4, 3x3, p(1.5))", "p(1.5)", "padding must be a whole number, not 1.5"),
        (
            "block b(k) = conv(4, 3x3, p(k / 2)); A <4x8x8> -> b(3.0)",
            "p(k / 2)",
            "padding must be a whole number, not 1.5",
        ),
        ("A <4x8x8> -> conv(4, 3x3, s(4 / 2.0))", "s(4 / 2.0)", "stride must be a whole number, not 2.0: write `s(2)`"),
        (
            "A <4x8x8> -> conv(4, 3x3, p(1x2x3))",
            "p(1x2x3)",
            "padding of 3 sizes: write `p1x2`, or `p1x2x3x2` for top, left, bottom and right",
        ),
        (
            "block b(c) = fc(c * 2); A <4x8x8> -> b(s2)",
            "c",
            "the option `s` cannot be calculated with: pass a plain number",
        ),
        ("block b(c) = fc(c * 2); A <4x8x8> -> b(3x3)", "c", "a size like `5x5` cannot be calculated with"),
        (
            "block b(n) = relu * n; A <4x8x8> -> b(0)",
            "n",
            "a step repeated 0 times is no step: remove it, or write at least `* 1`",
        ),
        (
            "A <4x8x8> -> relu * 100000",
            "100000",
            "100000 times 1 layer makes 100000: a network has at most 4096 layers, so at most `* 4096` fits here",
        ),
        (
            "A <4x8x8> -> fc(8) -> (relu -> tanh -> gelu) * 5000",
            "5000",
            "5000 times 3 layers makes 15000, after 1 layer before: a network has at most 4096 layers, so at most `* 1365` fits here",
        ),
        (
            "A <4x8x8> -> (relu * 4000) * 2",
            "2",
            "2 times 4000 layers makes 8000: a network has at most 4096 layers, so at most `* 1` fits here",
        ),
        (
            "B <4x8x8> -> relu; A <4x9x9> -> B",
            "B",
            "`B` takes 4x8x8 and gets 4x9x9: change the layers before it, or declare `B <4x9x9>` at 1:1",
        ),
        (
            "B <4x8x8> -> relu; A <4x8x8> -> flatten -> B",
            "B",
            "`B` takes 4x8x8 and gets 256: a network begins with a map, as declared at 1:1",
        ),
        (
            "A <4x8x8> -> fc(18446744073709551615 * 2)",
            "18446744073709551615 * 2",
            "18446744073709551615 * 2 is too large",
        ),
        ("A <4x8x8> -> fc(1 - 2)", "1 - 2", "`fc1`: the number of outputs = -1: at least 1 is needed"),
        ("A <4x8x8> -> fc(3 / 2.0)", "3 / 2.0", "`fc1`: the number of outputs must be a whole number, not 1.5"),
        ("A <4x8x8> -> fc(1e300 * 1e300)", "1e300 * 1e300", "1e300 * 1e300 has no finite value"),
        (
            "block b(c) = conv(d_out, 3x3); A <4x8x8> -> b(3)",
            "d_out",
            "`b1.conv1`: no option is called `d_out`, nor a parameter, which would be `c`",
        ),
        (
            "block b(c) = conv(c, 3x3); block _b = relu; A <4x8x8> -> relu",
            "b",
            "`b` is never used: write `-> b(...)` in a network, remove it, or call it `_b`",
        ),
        (
            "block b = relu; block deep = b -> tanh; A <4x8x8> -> relu",
            "deep",
            "`deep` is never used: write `-> deep` in a network, remove it, or call it `_deep`",
        ),
        ("block b = relu", "b", "`b` is never used: write `-> b` in a network, remove it, or call it `_b`"),
        (
            "block b(c) = fc(10); A <4x8x8> -> b(c = 2)",
            "c",
            "the parameter `c` is never used: remove it, or call it `_c`",
        ),
        (
            "block b(c) = conv(4, 3x3) -> gelu(tanh); A <4x8x8> -> b(3)",
            "c",
            "the parameter `c` is never used: remove it, or call it `_c`",
        ),
    ]);
}
