//! Names of layers, values and items.

use super::{check, errors};

#[test]
fn only_what_may_stand_in_a_place_is_suggested_there() {
    for source in ["Unit <4x8x8> -> Unot", "Unit <4x8x8> -> relu; A <4x8x8> -> Unot(3)", "block unit(c) = unot(c)"] {
        let message = &errors(source)[0].message;
        assert!(message.contains(": the layers are conv"), "{message}");
    }
}

#[test]
fn each_mistake_is_marked_and_explained() {
    check(&[
        ("A <1x28x28> -> cnov(6, 5x5) -> fc(10)", "cnov", "no layer or block is called `cnov`; did you mean `conv`?"),
        ("A <1x28x28> -> Linear(10)", "Linear", "no layer or block is called `Linear`; did you mean `fc`?"),
        (
            "A <1x28x28> -> batchnorm -> fc(10)",
            "batchnorm",
            "no layer, block, network or earlier value is called `batchnorm`; did you mean `bn`?",
        ),
        (
            "A <1x28x28> -> ReLU -> fc(10)",
            "ReLU",
            "no layer, block, network or earlier value is called `ReLU`; did you mean `relu`?",
        ),
        (
            "A <1x28x28> -> transformer(3)",
            "transformer",
            "no layer or block is called `transformer`: the layers are conv, dwconv, conv_transpose, pool, maxpool, avgpool, fc, relu, leaky_relu, relu6, elu, gelu, silu, hardswish, tanh, sigmoid, selu, clip, hardsigmoid, affine, reciprocal, prelu, scale, shift, softmax, log_softmax, bn, lrn, dropout, flatten, reshape, expand, permute, add, concat, mul, sub, div, shortcut, pad, upsample, resize",
        ),
        (
            "A <4x8x8> -> skip1 = relu -> add(id, skip2) -> add(id, skip1)",
            "skip2",
            "no layer, block, network or earlier value is called `skip2`; did you mean `skip1`?",
        ),
        (
            "A <4x8x8> -> x = relu -> fc(10)",
            "x",
            "`x` is never used: read it in a later `add` or `concat`, remove the name, or write `_x`",
        ),
        (
            "A <4x8x8> -> x = add(id, conv(4, 1x1)) -> fc(10)",
            "x",
            "`x` is never used: read it in a later `add` or `concat`, remove the name, or write `_x`",
        ),
        (
            "A <4x8x8> -> x = relu -> x = tanh -> add(id, x)",
            "x",
            "`x` is named twice, first at 1:14: choose another name",
        ),
        ("A <4x8x8> -> relu = conv(4, 1x1) -> fc(10)", "relu", "`relu` is the name of a layer: choose another name"),
        ("A <4x8x8> -> id = conv(4, 1x1) -> fc(10)", "id", "`id` is the name of a layer: choose another name"),
        ("A <4x8x8> -> _ = conv(4, 1x1) -> fc(10)", "_", "`_` names nothing: choose a name, or leave the name out"),
        ("A <4x8x8> -> A = relu -> fc(10)", "A", "`A` already names the item at 1:1: choose another name"),
        (
            "A <4x8x8> -> xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx = relu -> fc(10)",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "this name is longer than 64 characters",
        ),
        (
            "A <4x8x8> -> x = relu -> x",
            "x",
            "`x` is a value: it can only begin a branch, as in `add(id, x)` or `concat(id, x)`",
        ),
        ("A <4x8x8> -> x = relu -> add(id, x(3))", "x(3)", "`x` is a value and takes no arguments"),
        ("A <4x8x8> -> x = relu -> add(id, x * 2)", "x", "`x` is a value and cannot be repeated"),
        ("A <4x8x8> -> id(3) -> relu", "id(3)", "`id` is the current value and takes no arguments"),
        (
            "A <4x8x8> -> (y = relu -> add(id, y)) * 3 -> add(id, y)",
            "y",
            "`y` is named inside a repeated step, at 1:15, and cannot be seen outside it",
        ),
        ("A <4x8x8> -> relu; A <4x8x8> -> relu", "A", "`A` is defined twice, first at 1:1"),
        ("A <4x8x8> -> relu; r#A <4x8x8> -> relu", "r#A", "`A` is defined twice, first at 1:1"),
        ("#[cfg(a)] A <4x8x8> -> relu; A <4x8x8> -> relu", "A", "`A` is defined twice, first at 1:11"),
        (
            "#[cfg(a)] A <4x8x8> -> relu; #[cfg(b)] A <4x8x8> -> tanh; B <4x8x8> -> A",
            "A",
            "`A` is defined several times, each under a `cfg` that only rustc can read: give each a name of its own to use it as a step",
        ),
        ("block b = relu; block b = tanh; A <4x8x8> -> b", "b", "`b` is defined twice, first at 1:7"),
        ("block relu = tanh; A <4x8x8> -> tanh", "relu", "`relu` is the name of a layer: choose another name"),
        ("block b(c, c) = fc(c); A <4x8x8> -> relu", "c", "parameter `c` is defined twice, first at 1:9"),
        (
            "block b(same) = fc(same); A <4x8x8> -> relu",
            "same",
            "`same` is how an option is written: choose another name for the parameter",
        ),
        (
            "block b(s2) = fc(3); A <4x8x8> -> relu",
            "s2",
            "`s2` is how an option is written: choose another name for the parameter",
        ),
        (
            "A <4x8x8> -> relu * n",
            "n",
            "no parameter is called `n`: only a block with parameters has names for numbers",
        ),
        (
            "A <4x8x8> -> fc(n + 1)",
            "n",
            "no parameter is called `n`: only a block with parameters has names for numbers",
        ),
        ("B <4x8x8> -> relu; A <4x8x8> -> B(3)", "B(3)", "`B` is a network and takes no arguments: write `B`"),
        (
            "A <4x8x8> -> gap -> fc(10)",
            "gap",
            "no layer, block, network or earlier value is called `gap`; did you mean `avgpool`?",
        ),
        (
            "A <4x8x8> -> identity -> fc(10)",
            "identity",
            "no layer, block, network or earlier value is called `identity`; did you mean `id`?",
        ),
        (
            "A <4x8x8> -> deconv(3, 3x3) -> fc(10)",
            "deconv",
            "no layer or block is called `deconv`; did you mean `conv_transpose`?",
        ),
        (
            "A <4x8x8> -> add(id, x) -> x = relu -> fc(10)",
            "x",
            "`x` is named only at 1:28: a branch can begin with an earlier value",
        ),
        (
            "A <4x8x8> -> x = add(id, x) -> fc(10)",
            "x",
            "`x` is named only at 1:14: a branch can begin with an earlier value",
        ),
        (
            "train <4x8x8> -> fc(10)",
            "train",
            "the generated code uses the name `train` itself: choose another for the network",
        ),
        (
            "None <4x8x8> -> fc(10)",
            "None",
            "the generated code uses the name `None` itself: choose another for the network",
        ),
        (
            "r#f32 <4x8x8> -> fc(10)",
            "r#f32",
            "the generated code uses the name `f32` itself: choose another for the network",
        ),
        ("gen <4x8x8> -> fc(10)", "gen", "expected `Name <CxHxW> -> ...` or `block name(...) = ...`, found `gen`"),
    ]);
}
