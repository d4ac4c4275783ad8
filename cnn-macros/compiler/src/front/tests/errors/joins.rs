//! Branches of joins.

use super::{check, errors};

#[test]
fn each_mistake_is_marked_and_explained() {
    check(&[
        ("A <4x8x8> -> add", "add", "`add1`: add joins at least two branches and has no branch: write `add(id, ...)`"),
        (
            "A <4x8x8> -> add(id)",
            "add(id)",
            "`add1`: add joins at least two branches and has one branch: write `add(id, ...)`",
        ),
        (
            "A <4x8x8> -> concat(relu)",
            "concat(relu)",
            "`concat1`: concat joins at least two branches and has one branch: write `concat(id, ...)`",
        ),
        (
            "A <4x8x8> -> add(conv(4, 3x3), id)",
            "id",
            "`add1`: the branches of add differ: 4x8x8 here, 4x6x6 in the other: give `conv1` the padding `p1`",
        ),
        (
            "A <4x8x8> -> add(id, conv(4, 3x3) -> bn)",
            "conv(4, 3x3) -> bn",
            "`add1`: the branches of add differ: 4x6x6 here, 4x8x8 in the other: give `conv1` the padding `p1`",
        ),
        (
            "A <4x8x8> -> add(conv(8, 3x3, s2, p1), id)",
            "id",
            "`add1`: the branches of add differ: 4x8x8 here, 8x4x4 in the other: write `-> shortcut(8, s2)` at the end of this branch",
        ),
        (
            "A <4x8x8> -> add(id, conv(8, 3x3, s2, p1))",
            "conv(8, 3x3, s2, p1)",
            "`add1`: the branches of add differ: 8x4x4 here, 4x8x8 in the other: write `-> shortcut(8, s2)` at the end of the other branch",
        ),
        (
            "A <4x8x8> -> add(conv(8, 1x1), id)",
            "id",
            "`add1`: the branches of add differ: 4x8x8 here, 8x8x8 in the other: write `-> conv(8, 1x1)` at the end of this branch, or let its last layer give 8 channels",
        ),
        (
            "A <4x8x8> -> add(id, flatten)",
            "flatten",
            "`add1`: the branches of add differ: 256 here, 4x8x8 in the other: write `-> flatten` at the end of the branch that is a map",
        ),
        (
            "A <4x8x8> -> add(id, fc(3))",
            "fc(3)",
            "`add1`: the branches of add differ: 3 here, 4x8x8 in the other: both need one shape",
        ),
        (
            "A <4x8x8> -> add(id, relu, tanh, conv(5, 3x3, p1))",
            "conv(5, 3x3, p1)",
            "`add1`: the branches of add differ: 5x8x8 here, 4x8x8 in the other: write `-> conv(4, 1x1)` at the end of this branch, or let its last layer give 4 channels",
        ),
        (
            "A <4x8x9> -> add(upsample(3x2), id)",
            "id",
            "`add1`: the branches of add differ: 4x8x9 here, 4x24x18 in the other: both need one shape",
        ),
        (
            "A <4x8x8> -> concat(id, pool(2))",
            "pool(2)",
            "`concat1`: concat joins channels of maps of one size: 4x4 here, 8x8 in the other: write `-> pool(2)` at the end of the other branch, or `-> upsample(2)` at the end of this branch",
        ),
        (
            "A <4x8x8> -> concat(pool(2), id)",
            "id",
            "`concat1`: concat joins channels of maps of one size: 8x8 here, 4x4 in the other: write `-> pool(2)` at the end of this branch, or `-> upsample(2)` at the end of the other branch",
        ),
        (
            "A <4x8x8> -> concat(conv(3, 3x3), id)",
            "id",
            "`concat1`: concat joins channels of maps of one size: 8x8 here, 6x6 in the other: both need one height and width",
        ),
        (
            "A <4x8x8> -> concat(id, fc(3))",
            "fc(3)",
            "`concat1`: concat cannot join a map and a flat value: write `-> flatten` at the end of the branch that is a map",
        ),
        (
            "A <4x8x8> -> x = pool(2) -> conv(4, 1x1) -> upsample(2) -> add(id, x)",
            "x",
            "`add1`: the branches of add differ: 4x4x4 here, 4x8x8 in the other: write `-> shortcut(4, s2)` at the end of the other branch",
        ),
    ]);
}

#[test]
fn a_window_before_all_branches_is_not_padded() {
    for (before, branch, fix) in [
        ("conv(4, 5x5)", "upsample(2)", "shortcut(4, s2)"),
        ("conv(4, 5x5) -> relu", "concat(pool(1) -> conv(2, 1x1), conv(2, 1x1)) -> upsample(2)", "shortcut(4, s2)"),
    ] {
        let source = |fix: &str| format!("A <3x8x8> -> {before} -> add(id, {branch}{fix})");
        let message = &errors(&source(""))[0].message;
        assert!(message.ends_with(&format!(": write `-> {fix}` at the end of this branch")), "{message}");
        assert!(errors(&source(&format!(" -> {fix}"))).is_empty());
    }
}

#[test]
fn axes_of_one_are_repeated_and_no_others() {
    check(&[
        ("A <4x8x8> -> mul", "mul", "`mul1`: mul joins at least two branches and has no branch: write `mul(id, ...)`"),
        (
            "A <4x8x8> -> sub(id, relu, tanh)",
            "tanh",
            "`sub1`: sub takes two branches and has 3: write `sub(sub(a, b), c)`",
        ),
        (
            "A <4x8x8> -> mul(id, avgpool(global) -> conv(3, 1x1) -> sigmoid)",
            "avgpool(global) -> conv(3, 1x1) -> sigmoid",
            "`mul1`: the branches of mul differ: 3x1x1 here, 4x8x8 in the other, where 3 and 4 channels are neither equal nor 1: write `-> conv(4, 1x1)` at the end of this branch, or let its last layer give 4 channels",
        ),
        (
            "A <4x8x8> -> mul(id, avgpool(global) -> fc(4) -> sigmoid)",
            "avgpool(global) -> fc(4) -> sigmoid",
            "`mul1`: the branches of mul differ: 4 here, 4x8x8 in the other: write `-> reshape(4x1x1)` at the end of the branch that is flat",
        ),
        (
            "A <4x8x8> -> div(id, flatten)",
            "flatten",
            "`div1`: the branches of div differ: 256 here, 4x8x8 in the other: write `-> flatten` at the end of the branch that is a map",
        ),
        (
            "A <4x8x8> -> sub(id, conv(4, 3x3))",
            "conv(4, 3x3)",
            "`sub1`: the branches of sub differ: 4x6x6 here, 4x8x8 in the other, where 6 and 8 rows are neither equal nor 1: give `conv1` the padding `p1`",
        ),
        (
            "A <4x8x8> -> div(fc(3), fc(5))",
            "fc(5)",
            "`div1`: the branches of div differ: 5 here, 3 in the other, where 5 and 3 features are neither equal nor 1: both need one size, or one of them 1",
        ),
        (
            "A <4x8x8> -> mul(avgpool(1x8), avgpool(8x1), pool(3, s1))",
            "pool(3, s1)",
            "`mul1`: the branches of mul differ: 4x6x6 here, 4x8x1 in the other, where 6 and 8 rows are neither equal nor 1: both need one size, or one of them 1",
        ),
        (
            "A <4x8x8> -> mul(conv(3, 3x3), id)",
            "id",
            "`mul1`: the branches of mul differ: 4x8x8 here, 3x6x6 in the other, where 4 and 3 channels are neither equal nor 1: both need one size, or one of them 1",
        ),
        (
            "A <4x8x8> -> mul(conv(3, 3x3, s2, p1), id)",
            "id",
            "`mul1`: the branches of mul differ: 4x8x8 here, 3x4x4 in the other, where 4 and 3 channels are neither equal nor 1: write `-> shortcut(3, s2)` at the end of this branch",
        ),
        (
            "A <4x8x8> -> mul(avgpool(global) -> conv(3, 1x1), id)",
            "id",
            "`mul1`: the branches of mul differ: 4x8x8 here, 3x1x1 in the other, where 4 and 3 channels are neither equal nor 1: write `-> conv(3, 1x1)` at the end of this branch, or let its last layer give 3 channels",
        ),
        (
            "A <4x8x8> -> mul(id, fc(10))",
            "fc(10)",
            "`mul1`: the branches of mul differ: 10 here, 4x8x8 in the other: both need to be maps, or both flat, of sizes that are equal or 1",
        ),
    ]);
}
