//! What is said of models that cannot be imported.

use super::Attribute::{Int, Ints, Text};
use super::{Builder, value};

#[test]
fn an_unknown_operator_is_named_with_its_node_and_version() {
    let net = Builder::new(&[0, 3, 5, 7]).node("Einsum", "x", "y", []);
    assert_eq!(net.problem(), "node `Einsum_y` (Einsum, opset 17): this operator cannot be imported");
}

#[test]
fn all_problems_are_reported_together_and_each_once() {
    let net = Builder::new(&[0, 3, 5, 7])
        .node("Einsum", "x", "a", [])
        .node("Relu", "a", "b", [])
        .node("Abs", "x", "c", [])
        .node("Add", "b c", "y", []);
    let error = net.import().map(|imported| imported.text).unwrap_err();
    assert_eq!(error.problems().len(), 2);
    assert!(error.problems()[1].starts_with("node `Abs_c`"));
}

#[test]
fn cycles_and_dangling_names_end_the_import() {
    let net =
        Builder::new(&[0, 3, 5, 7]).node("Add", "x b", "a", []).node("Relu", "a", "b", []).node("Relu", "b", "y", []);
    assert_eq!(net.problem(), "node `Add_a` (Add, opset 17): it reads `b`, which nothing before it makes");
    let twice = Builder::new(&[0, 3, 5, 7]).node("Relu", "x", "y", []).node("Tanh", "x", "y", []);
    assert_eq!(twice.problem(), "node `Tanh_y` (Tanh, opset 17): it makes `y`, which something before it makes");
}

#[test]
fn samples_are_not_repeated() {
    let expand = |shape: &[i64]| {
        let net = Builder::new(&[0, 3, 1, 1]).ints("s", shape).node("Expand", "x s", "y", []);
        net.problem().split_once(": ").unwrap().1.to_owned()
    };
    assert_eq!(expand(&[8, 3, 5, 7]), "it repeats samples, whose number a network keeps");
    assert_eq!(expand(&[1, 1, 3, 5, 7]), "it makes 5 axes of 4");
    assert_eq!(expand(&[2, 5, 7]), "its operands have shapes [3, 1, 1] and [2, 5, 7] for one sample");
    assert_eq!(expand(&[3, -1, 7]), "it asks for a size that is negative or not known");
}

#[test]
fn attributes_that_are_not_understood_are_not_passed_over() {
    let net = Builder::new(&[0, 3, 5, 7]).node("Relu", "x", "y", [("slope", Int(1))]);
    assert!(net.problem().ends_with("its attribute `slope` is not supported"));
    let net = Builder::new(&[0, 3, 5, 7]).node("Resize", "x", "y", [("mode", Text("cubic"))]);
    assert!(net.problem().ends_with("its attribute `mode` is `cubic`: nearest, linear can be imported"));
}

#[test]
fn normalisation_in_training_is_refused() {
    let net = |outputs| {
        let net = Builder::new(&[0, 4, 5, 7]).opset(13).weight("b", &[4]);
        net.node("BatchNormalization", "x b b b b", outputs, [])
    };
    let problem = net("y mean var saved_mean saved_var").problem();
    assert!(problem.contains("it is in training mode"), "{problem}");
    assert_eq!(net("y").text(), "<4x5x7> -> bn");
}

#[test]
fn samples_stay_apart() {
    let ends = |builder: Builder, end: &str| {
        let problem = builder.problem();
        assert!(problem.ends_with(end), "{problem}");
    };
    let net = || Builder::new(&[2, 3, 5, 7]);
    ends(
        net().node("Transpose", "x", "y", [("perm", Ints(&[1, 0, 2, 3]))]),
        "it moves the axis of samples, which a network keeps apart",
    );
    ends(
        net().node("Flatten", "x", "y", [("axis", Int(0))]),
        "it joins the axis of samples with others, which a network keeps apart",
    );
    ends(
        net().node("ReduceMean", "x", "y", [("axes", Ints(&[0]))]),
        "its axis 0 counts samples, which a network keeps apart",
    );
    ends(
        net().weight("c", &[2, 3, 5, 7]).node("Add", "x c", "y", []),
        "its constant of shape [2, 3, 5, 7] differs from sample to sample",
    );
    ends(
        Builder::new(&[0, 4]).weight("c", &[1, 1, 1]).node("Add", "x c", "y", []),
        "its constant has 3 axes, and the other operand 2",
    );
}

#[test]
fn shapes_that_do_not_fit_are_said_with_both() {
    let net = Builder::new(&[0, 3, 5, 7]).weight("w", &[4, 2, 3, 3]).node("Conv", "x w", "y", []);
    assert!(
        net.problem()
            .ends_with("its weights are for 4 outputs of 2 channels each in 1 groups, and its input has 3 channels")
    );
    let net = Builder::new(&[0, 8]).weight("w", &[7, 2]).node("MatMul", "x w", "y", []);
    assert!(net.problem().ends_with("its weights [7, 2] are not for the 8 features that it reads"));
}

#[test]
fn an_axis_is_padded_once() {
    let net = Builder::new(&[0, 3, 5, 7]).ints("pads", &[1, 1, 1, 1]).ints("axes", &[2, -2]);
    let net = net.node("Pad", "x pads  axes", "y", []);
    assert_eq!(net.problem(), "node `Pad_y` (Pad, opset 17): it pads an axis twice");
}

#[test]
fn one_input_and_one_output_of_fixed_sizes_are_needed() {
    let mut net = Builder::new(&[0, 3, 5, 7]).node("Add", "x z", "y", []);
    net.graph().input.push(value("z", &[0, 3, 5, 7]));
    assert_eq!(net.problem(), "the model has the inputs [`x`, `z`]: a network has one");
    let net = Builder::new(&[0, 3, 0, 7]).node("Relu", "x", "y", []);
    assert!(net.problem().contains("its axis 2 has no fixed size"));
    // Without an axis of samples.
    let net = Builder::new(&[5, 0, 7]).node("Relu", "x", "y", []);
    assert!(net.problem().contains("its axis 1 has no fixed size"));
}

#[test]
fn versions_whose_meaning_is_not_known_are_refused() {
    for version in [6, 29] {
        let net = Builder::new(&[0, 3, 5, 7]).opset(version).node("Relu", "x", "y", []);
        assert!(net.problem().contains("versions 7 to 28 can be imported"));
    }
}
