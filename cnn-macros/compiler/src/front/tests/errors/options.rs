//! Arguments of layers.

use super::check;

#[test]
fn each_mistake_is_marked_and_explained() {
    check(&[
        ("A <1x28x28> -> conv(6, 5x5, smae)", "smae", "`conv1`: no option is called `smae`; did you mean `same`?"),
        (
            "A <1x28x28> -> conv(6, 5x5, t2)",
            "t2",
            "`conv1`: no option `t2`, only `s`, `p`, `d` or `g`: write for example `conv(6, 5x5, s1, p2)`",
        ),
        ("A <1x28x28> -> conv(6, 5x5, stride = 2)", "stride", "`conv1`: no option is called `stride`: write `s2`"),
        ("A <1x28x28> -> conv(6, 5x5, s)", "s", "`conv1`: stride lacks its size: write `s2`"),
        ("A <1x28x28> -> conv(6)", "conv(6)", "`conv1`: the kernel is missing: write `conv(6, 3x3, p1)`"),
        (
            "A <1x28x28> -> conv(5x5)",
            "5x5",
            "`conv1`: the number of output channels is missing: write it before the kernel, like `conv(6, 5x5)`",
        ),
        (
            "A <1x28x28> -> conv",
            "conv",
            "`conv1`: the number of output channels is missing: write for example `conv(6, 5x5, s1, p2)`",
        ),
        (
            "A <1x28x28> -> pool",
            "pool",
            "`pool1`: the kernel is missing: write for example `pool(2, s2)` or `pool(global)`",
        ),
        ("A <1x28x28> -> fc", "fc", "`fc1`: the number of outputs is missing: write for example `fc(120)`"),
        ("A <1x28x28> -> pad", "pad", "`pad1`: the padding is missing: write for example `pad(1)` or `pad(1x2)`"),
        (
            "A <1x28x28> -> upsample(nearest)",
            "upsample(nearest)",
            "`upsample1`: the factor is missing: write for example `upsample(2, nearest)`",
        ),
        (
            "A <1x28x28> -> shortcut",
            "shortcut",
            "`shortcut1`: the number of output channels is missing: write for example `shortcut(64, s2)`",
        ),
        (
            "A <1x28x28> -> dwconv(s2)",
            "dwconv(s2)",
            "`dwconv1`: the kernel is missing: write for example `dwconv(3x3, s1, p1)`",
        ),
        ("A <1x28x28> -> conv(6, 5x5, s1, s2)", "s2", "`conv1`: stride is given twice, first at 1:29"),
        (
            "A <1x28x28> -> conv(6, 5x5, nobias, bias)",
            "bias",
            "`conv1`: `bias` and `nobias` exclude each other, first at 1:29: keep one of them",
        ),
        (
            "A <1x28x28> -> conv(6, 5x5, same, p2)",
            "p2",
            "`conv1`: the padding is given twice, first at 1:29: keep one of the two",
        ),
        ("A <1x28x28> -> conv(6, 5x5, same, same)", "same", "`conv1`: `same` is given twice, first at 1:29"),
        ("A <1x28x28> -> conv(6, 5x5, 3)", "3", "`conv1`: `3` is one number too many: a stride is written `s3`"),
        (
            "A <1x28x28> -> conv(6, 5x5x5)",
            "5x5x5",
            "`conv1`: kernel has two sizes, not `5x5x5`: write for example `conv(6, 5x5, s1, p2)`",
        ),
        ("A <1x28x28> -> conv(0, 5x5)", "0", "`conv1`: output channels = 0: at least 1 is needed"),
        ("A <1x28x28> -> conv(6, 0x5)", "0x5", "`conv1`: kernel = 0: at least 1 is needed"),
        (
            "A <1x28x28> -> conv(6, 5x5, s0)",
            "s0",
            "`conv1`: stride = 0 (a window that does not move has no end): at least 1 is needed",
        ),
        (
            "A <1x28x28> -> conv(6, 5x5, s2x0)",
            "s2x0",
            "`conv1`: stride = 0 (a window that does not move has no end): at least 1 is needed",
        ),
        (
            "A <1x28x28> -> conv(6, 5x5, d0)",
            "d0",
            "`conv1`: dilation = 0 (all taps would read one pixel): at least 1 is needed",
        ),
        ("A <1x28x28> -> conv(6, 5x5, g0)", "g0", "`conv1`: groups = 0: at least 1 is needed"),
        ("A <1x28x28> -> conv(6, 5x5, g1x1)", "g1x1", "`conv1`: groups is one number: write `g1`"),
        ("A <1x28x28> -> conv(-6, 5x5)", "-6", "`conv1`: output channels = -6: at least 1 is needed"),
        ("A <1x28x28> -> conv(6.5, 5x5)", "6.5", "`conv1`: output channels must be a whole number, not 6.5"),
        (
            "A <1x28x28> -> conv(99999999999, 3x3)",
            "99999999999",
            "`conv1`: output channels = 99999999999 is too large: at most 2147483648 is possible",
        ),
        (
            "A <1x28x28> -> dwconv(3x3, g2)",
            "g2",
            "`dwconv1`: no option `g2`, only `s`, `p`, `d` or `m`: write for example `dwconv(3x3, s1, p1)`",
        ),
        ("A <1x28x28> -> dwconv(3x3, m0)", "m0", "`dwconv1`: the multiplier = 0: at least 1 is needed"),
        ("A <1x28x28> -> fc(0)", "0", "`fc1`: the number of outputs = 0: at least 1 is needed"),
        (
            "A <1x28x28> -> fc(10x10)",
            "10x10",
            "`fc1`: the number of outputs must be one number, not `10x10`: write for example `fc(120)`",
        ),
        ("A <1x28x28> -> fc(10, s2)", "s2", "`fc1`: no option `s2`: write for example `fc(120)`"),
        ("A <1x28x28> -> fc(-3)", "-3", "`fc1`: the number of outputs = -3: at least 1 is needed"),
        ("A <1x28x28> -> fc(2.5)", "2.5", "`fc1`: the number of outputs must be a whole number, not 2.5"),
        ("A <1x28x28> -> fc(784 -> 0)", "784 -> 0", "`fc1`: the number of outputs = 0: at least 1 is needed"),
        ("A <1x28x28> -> relu(3)", "3", "`relu1`: `3` is one number too many: write `relu`, it takes no arguments"),
        (
            "A <1x28x28> -> relu(784 -> 3)",
            "784 -> 3",
            "`relu1`: an arrow cannot be an argument here: write `relu`, it takes no arguments",
        ),
        (
            "A <1x28x28> -> pool(global, s2)",
            "s2",
            "`pool1`: `global` takes the whole map as its window: write `pool(global)`",
        ),
        (
            "A <1x28x28> -> pool(2, g2)",
            "g2",
            "`pool1`: no option `g2`, only `s`, `p` or `d`: write for example `pool(2, s2)` or `pool(global)`",
        ),
        ("A <1x28x28> -> avgpool(0)", "0", "`avgpool1`: kernel = 0: at least 1 is needed"),
        (
            "A <1x28x28> -> dropout(1.0)",
            "1.0",
            "`dropout1`: rate = 1: it must be at least 0 and below 1, like `dropout(0.5)`, the share of features that is dropped",
        ),
        (
            "A <1x28x28> -> dropout(-0.5)",
            "-0.5",
            "`dropout1`: rate = -0.5: it must be at least 0 and below 1, like `dropout(0.5)`, the share of features that is dropped",
        ),
        (
            "A <1x28x28> -> dropout(0.5, 0.5)",
            "0.5",
            "`dropout1`: `0.5` is one number too many: write for example `dropout(0.5)`",
        ),
        ("A <1x28x28> -> bn(eps = 0)", "eps = 0", "`bn1`: eps = 0: it must be positive"),
        (
            "A <1x28x28> -> bn(0.5)",
            "0.5",
            "`bn1`: `0.5` is one number too many: write for example `bn` or `bn(eps = 1e-5, momentum = 0.1)`",
        ),
        ("A <1x28x28> -> bn(epsilon = 3)", "epsilon", "`bn1`: no option is called `epsilon`; did you mean `eps`?"),
        ("A <1x28x28> -> bn(momentum = 2)", "momentum = 2", "`bn1`: momentum = 2: it must be between 0 and 1"),
        ("A <1x28x28> -> bn(eps = 1, eps = 2)", "eps = 2", "`bn1`: eps is given twice, first at 1:19"),
        (
            "A <1x28x28> -> bn(eps = same)",
            "eps = same",
            "`bn1`: eps is a number: write for example `bn` or `bn(eps = 1e-5, momentum = 0.1)`",
        ),
        ("A <1x28x28> -> lrn(4)", "4", "`lrn1`: size 4 has no middle channel: use 3 or 5"),
        ("A <1x28x28> -> lrn(size = 0)", "size = 0", "`lrn1`: size = 0: at least 1 is needed"),
        ("A <1x28x28> -> lrn(k = 0)", "k = 0", "`lrn1`: k = 0: it must be positive"),
        (
            "A <1x28x28> -> leaky_relu(slope = 1e300)",
            "slope = 1e300",
            "`leaky_relu1`: slope = 1e300: it must be a finite number",
        ),
        (
            "A <1x28x28> -> elu(beta = 1)",
            "beta",
            "`elu1`: no option is called `beta`: write for example `elu` or `elu(alpha = 0.5)`",
        ),
        (
            "A <1x28x28> -> clip",
            "clip",
            "`clip1`: a bound is missing: write for example `clip(0, 6)`, `clip(lo = 0)` or `clip(hi = 6)`",
        ),
        ("A <1x28x28> -> clip(3, -1)", "-1", "`clip1`: lo = 3 is above hi = -1: write `clip(-1, 3)`"),
        ("A <1x28x28> -> clip(hi = 1e39)", "hi = 1e39", "`clip1`: hi = 1e39: it must be a finite number"),
        (
            "A <1x28x28> -> selu(beta = 1)",
            "beta",
            "`selu1`: no option is called `beta`: write for example `selu` or `selu(alpha = 1.67, gamma = 1.05)`",
        ),
        (
            "A <1x28x28> -> hardsigmoid(0.2, 0.5, 1)",
            "1",
            "`hardsigmoid1`: `1` is one number too many: write for example `hardsigmoid` or `hardsigmoid(alpha = 0.2, beta = 0.5)`",
        ),
        ("A <1x28x28> -> gelu(tan)", "tan", "`gelu1`: no option is called `tan`; did you mean `tanh`?"),
        (
            "A <1x28x28> -> reciprocal(2)",
            "2",
            "`reciprocal1`: `2` is one number too many: write `reciprocal`, it takes no arguments",
        ),
        (
            "A <1x28x28> -> prelu(0.25)",
            "0.25",
            "`prelu1`: `0.25` is one number too many: write for example `prelu` or `prelu(shared)`",
        ),
        (
            "A <3x28x28> -> scale(3)",
            "3",
            "`scale1`: a tensor 3 cannot be repeated to 3x28x28: write `scale` for one number per channel",
        ),
        (
            "A <3x28x28> -> shift(2x1x28)",
            "2x1x28",
            "`shift1`: a tensor 2x1x28 cannot be repeated to 3x28x28: along each axis it has the input's size or 1: write `shift(3x1x28)`",
        ),
        (
            "A <3x28x28> -> fc(7) -> shift(8)",
            "8",
            "`shift1`: a tensor 8 cannot be repeated to 7: along each axis it has the input's size or 1: write `shift(7)`",
        ),
        ("A <1x28x28> -> upsample(0)", "0", "`upsample1`: scale = 0: at least 1 is needed"),
        (
            "A <1x28x28> -> upsample(2, linear)",
            "linear",
            "`upsample1`: no option is called `linear`; did you mean `bilinear`?",
        ),
        (
            "A <1x28x28> -> upsample(2, nearest, bilinear)",
            "bilinear",
            "`upsample1`: `nearest` and `bilinear` exclude each other: keep one",
        ),
        ("A <1x28x28> -> pad(0)", "0", "`pad1`: padding by 0 adds nothing: remove the layer"),
        ("A <1x28x28> -> conv(6, 5x5, stride2)", "stride2", "`conv1`: no option is called `stride2`: write `s2`"),
        ("A <1x28x28> -> conv(6, 5x5, pad2)", "pad2", "`conv1`: no option is called `pad2`: write `p2`"),
        (
            "A <1x28x28> -> conv(6, 5x5, padding = same)",
            "padding",
            "`conv1`: no option is called `padding`: write `same`",
        ),
        ("A <1x28x28> -> conv(6, 5x5, stride = 2x1)", "stride", "`conv1`: no option is called `stride`: write `s2x1`"),
        (
            "A <1x28x28> -> conv(6, k5)",
            "k5",
            "`conv1`: no option `k5`, only `s`, `p`, `d` or `g`: a kernel is written `5x5`",
        ),
        ("A <1x28x28> -> conv(6, 5x5, 1, 2)", "1", "`conv1`: `1` is one number too many: a stride is written `s1`"),
        (
            "A <1x28x28> -> conv(1, 6, 5x5)",
            "5x5",
            "`conv1`: `5x5` is one number too many: the input channels are known and not written: write `conv(6, 5x5)`",
        ),
        (
            "A <1x28x28> -> conv(6, 5x5, relu)",
            "relu",
            "`conv1`: no option is called `relu`: a layer stands after an arrow, `-> relu`",
        ),
        ("A <1x28x28> -> fc(784, 10)", "10", "`fc1`: `10` is one number too many: write `fc(784 -> 10)`, or `fc(10)`"),
        (
            "A <1x28x28> -> dwconv(3x3, 8)",
            "8",
            "`dwconv1`: `8` is one number too many: a stride is written `s8`, and 8 outputs of each channel `m8`",
        ),
        (
            "A <1x28x28> -> softmax(dim = 1)",
            "dim",
            "`softmax1`: no option is called `dim`: write `softmax`, it takes no arguments",
        ),
    ]);
}
