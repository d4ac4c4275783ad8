//! What becomes of nodes and weights.

use super::Attribute::{Float, Int, Ints, Text};
use super::Builder;
use crate::onnx::proto::{AttributeProto, TensorProto, data_type};

/// A constant of no axes.
fn scalar(name: &str, number: f32) -> TensorProto {
    TensorProto { name: name.into(), data_type: 1, float_data: vec![number], ..Default::default() }
}

/// The numbers of a tensor, after its name and shape were held against these.
fn floats(builder: &Builder, index: usize, name: &str, shape: &[usize]) -> Vec<f32> {
    let imported = builder.import().unwrap();
    let tensor = &imported.tensors[index];
    assert_eq!((tensor.name.as_str(), tensor.shape()), (name, shape));
    tensor.floats().unwrap()
}

#[test]
fn a_chain_is_written_as_a_user_would() {
    let net = Builder::new(&[0, 1, 28, 28])
        .weight("w1", &[6, 1, 5, 5])
        .weight("b1", &[6])
        .weight("w2", &[10, 6 * 14 * 14])
        .weight("b2", &[10])
        .node("Conv", "x w1 b1", "a", [("pads", Ints(&[2, 2, 2, 2]))])
        .node("Relu", "a", "b", [])
        .node("MaxPool", "b", "c", [("kernel_shape", Ints(&[2, 2])), ("strides", Ints(&[2, 2]))])
        .node("Flatten", "c", "d", [])
        .node("Gemm", "d w2 b2", "y", [("transB", Int(1))]);
    let text = net.import().unwrap().text;
    assert_eq!(text, "<1x28x28>\n    -> conv(6, 5x5, p2) -> relu -> pool(2) <6x14x14>\n    -> fc(10) <10>");
    let names: Vec<_> = net.import().unwrap().tensors.iter().map(|tensor| tensor.name.clone()).collect();
    assert_eq!(names, ["conv1.weight", "conv1.bias", "fc1.weight", "fc1.bias"]);
}

#[test]
fn matrices_are_turned_and_scaled_when_they_are_read() {
    let net = |beta| {
        Builder::new(&[0, 2]).weight("w", &[2, 3]).weight("b", &[1]).node(
            "Gemm",
            "x w b",
            "y",
            [("alpha", Float(10.0)), ("beta", Float(beta))],
        )
    };
    assert_eq!(floats(&net(1.0), 0, "fc1.weight", &[3, 2]), [10.0, 40.0, 20.0, 50.0, 30.0, 60.0]);
    assert_eq!(floats(&net(5.0), 1, "fc1.bias", &[3]), [5.0; 3]);
}

#[test]
fn what_is_added_to_channels_becomes_a_bias_where_nobody_sees_it() {
    let conv = |builder: Builder| builder.weight("w", &[4, 3, 1, 1]).node("Conv", "x w", "a", []);
    let net = conv(Builder::new(&[0, 3, 5, 7])).weight("b", &[4, 1, 1]).node("Add", "a b", "y", []);
    assert_eq!(net.text(), "<3x5x7> -> conv(4, 1x1)");
    let net = conv(Builder::new(&[0, 3, 5, 7])).weight("b", &[1, 1, 7]).node("Add", "b a", "y", []);
    assert_eq!(net.text(), "<3x5x7> -> conv(4, 1x1, nobias) -> shift(1x1x7)");
    let net = conv(Builder::new(&[0, 3, 5, 7])).weight("b", &[4, 1, 1]).node("Add", "a b", "c", []);
    let net = net.node("Mul", "a c", "y", []);
    assert_eq!(net.text(), "<3x5x7> -> conv(4, 1x1, nobias) <4x5x7> -> mul(id, shift)");
}

#[test]
fn what_is_read_by_another_name_gets_no_bias() {
    let net = |op, input: &str, sum: &str| {
        let net = Builder::new(&[0, 3, 5, 7]).weight("w", &[4, 3, 1, 1]).weight("c", &[4, 1, 1]);
        let net = net.ints("same", &[0, 4, 5, 7]).ints("none", &[0; 8]);
        let net = net.node("Conv", "x w", "a", []).node(op, input, "b", []);
        net.node("Add", sum, "d", []).node("Mul", "a d", "y", [])
    };
    for (op, input) in [("Identity", "a"), ("Clip", "a"), ("Reshape", "a same"), ("Pad", "a none")] {
        // Whichever of the names the sum reads.
        for sum in ["b c", "c b", "a c"] {
            assert_eq!(net(op, input, sum).text(), "<3x5x7> -> conv(4, 1x1, nobias) <4x5x7> -> mul(id, shift)");
        }
    }
    // A name that only hands a value on reads nothing.
    let chain = Builder::new(&[0, 3, 5, 7]).weight("w", &[4, 3, 1, 1]).weight("c", &[4, 1, 1]);
    let chain = chain.node("Conv", "x w", "a", []).node("Identity", "a", "b", []).node("Identity", "b", "d", []);
    assert_eq!(chain.node("Add", "d c", "e", []).node("Relu", "e", "y", []).text(), "<3x5x7> -> conv(4, 1x1) -> relu");
}

#[test]
fn constants_of_all_shapes_stand_on_either_side() {
    let net = |op, input, dims: &[i64]| Builder::new(&[0, 3, 5, 7]).weight("c", dims).node(op, input, "y", []);
    assert_eq!(net("Sub", "x c", &[1]).text(), "<3x5x7> -> affine(add=-1)");
    assert_eq!(net("Sub", "c x", &[]).text(), "<3x5x7> -> affine(mul=-1, add=1)");
    assert_eq!(net("Div", "c x", &[1, 1, 1, 1]).text(), "<3x5x7> -> reciprocal");
    assert_eq!(net("Div", "c x", &[3, 1, 1]).text(), "<3x5x7> -> reciprocal -> scale");
    assert_eq!(net("Sub", "c x", &[7]).text(), "<3x5x7> -> affine(mul=-1) -> shift(1x1x7)");
    assert_eq!(floats(&net("Sub", "x c", &[3, 1, 1]), 0, "shift1.bias", &[3]), [-1.0, -2.0, -3.0]);
    assert_eq!(floats(&net("Div", "x c", &[1, 3, 1, 1]), 0, "scale1.weight", &[3]), [1.0, 0.5, 1.0 / 3.0]);
    assert_eq!(floats(&net("Mul", "x c", &[5, 1]), 0, "scale1.weight", &[1, 5, 1]), [1.0, 2.0, 3.0, 4.0, 5.0]);
}

#[test]
fn constants_of_nodes_are_the_files_own_however_large() {
    let (count, mut net) = ((1 << 24) + 1, Builder::new(&[0, 1, (1 << 24) + 1]).node("Constant", "", "c", []));
    let raw = Some(vec![0; 2 * count].into());
    let tensor =
        TensorProto { dims: vec![count as i64], data_type: data_type::FLOAT16, raw_data: raw, ..Default::default() };
    let value = AttributeProto { name: "value".into(), t: Some(tensor.into()), ..Default::default() };
    net.graph().node[0].attribute.push(value);
    assert_eq!(net.node("Mul", "x c", "y", []).text(), "<1x1x16777217> -> scale(1x1x16777217)");
}

#[test]
fn large_constants_are_computed_of_large_ones() {
    const COUNT: i64 = (1 << 22) + 1;
    let net = Builder::new(&[0, 1, COUNT]).weight("c", &[COUNT]).weight("d", &[1]).node("Sub", "c d", "e", []);
    let numbers = floats(&net.node("Mul", "x e", "y", []), 0, "scale1.weight", &[1, 1, COUNT as usize]);
    assert!(numbers.into_iter().eq((0..COUNT).map(|number| number as f32)));
    let net = Builder::new(&[0, 7]).weight("c", &[1 << 12, 1]).weight("d", &[1 << 11]).node("Add", "c d", "e", []);
    assert!(net.node("Relu", "x", "y", []).problem().ends_with("it makes up more than 4194304 numbers"));
}

#[test]
fn values_are_broadcast_against_each_other() {
    let net = |op| {
        Builder::new(&[0, 3, 5, 7]).node("GlobalAveragePool", "x", "a", []).node("Sigmoid", "a", "b", []).node(
            op,
            "x b",
            "y",
            [],
        )
    };
    assert_eq!(net("Mul").text(), "<3x5x7> -> mul(id, avgpool(global) -> sigmoid)");
    assert_eq!(net("Add").text(), "<3x5x7> -> add(id, avgpool(global) -> sigmoid -> expand(3x5x7))");
}

#[test]
fn sums_have_any_number_of_operands() {
    let net = |operands: &str| {
        let net = Builder::new(&[0, 3, 5, 7]).node("Relu", "x", "a", []).node("GlobalAveragePool", "x", "b", []);
        net.node("Sum", operands, "c", []).node("Tanh", "c", "y", [])
    };
    assert_eq!(net("x a x").text(), "<3x5x7> -> add(id, relu, id) -> tanh");
    assert_eq!(net("b").text(), "<3x5x7> -> avgpool(global) -> tanh");
    let repeated = "avgpool(global) -> expand(3x5x7)";
    assert_eq!(net("b x a").text(), format!("<3x5x7> -> add(add({repeated}, id), relu) -> tanh"));
    assert_eq!(net("x a b").text(), format!("<3x5x7> -> add(add(id, relu), {repeated}) -> tanh"));
}

#[test]
fn axes_of_one_are_repeated() {
    let net = |input: &[i64], shape: &[i64]| {
        Builder::new(input).ints("s", shape).node("Expand", "x s", "a", []).node("Relu", "a", "y", [])
    };
    assert_eq!(net(&[0, 3, 1, 7], &[1, 3, 5, 7]).text(), "<3x1x7> -> expand(3x5x7) -> relu");
    assert_eq!(net(&[0, 3, 1, 7], &[5, 1]).text(), "<3x1x7> -> expand(3x5x7) -> relu");
    assert_eq!(net(&[0, 3, 5, 7], &[1]).text(), "<3x5x7> -> relu");
    assert_eq!(net(&[4, 3, 1, 1], &[4, 3, 5, 7]).text(), "<3x1x1> -> expand(3x5x7) -> relu");
    assert_eq!(
        net(&[0, 2, 3, 1, 1], &[2, 3, 5, 7]).text(),
        "<2x3x1> -> reshape(6x1x1) -> expand(6x35x1) -> relu -> reshape(2x15x7)"
    );
    // As PyTorch writes `x.expand(x.size(0), -1, 5, 7)`, when it is traced.
    let sized = Builder::new(&[0, 3, 1, 1]).ints("first", &[0]).ints("rest", &[3, 5, 7]).node("Shape", "x", "a", []);
    let sized = sized.node("Gather", "a first", "b", []).node("Concat", "b rest", "c", [("axis", Int(0))]);
    assert_eq!(sized.node("Expand", "x c", "y", []).text(), "<3x1x1> -> expand(3x5x7)");
}

#[test]
fn a_cast_to_floats_is_nothing() {
    let attributes = [("to", Int(1)), ("saturate", Int(1)), ("round_mode", Text("up"))];
    let net = Builder::new(&[0, 3, 5, 7]).opset(24).node("Cast", "x", "a", attributes).node("Relu", "a", "y", []);
    assert_eq!(net.text(), "<3x5x7> -> relu");
}

#[test]
fn known_products_have_their_name() {
    let silu = Builder::new(&[0, 3, 5, 7]).node("Sigmoid", "x", "a", []).node("Mul", "a x", "y", []);
    assert_eq!(silu.text(), "<3x5x7> -> silu");
    let attributes = [("alpha", Float(1.0 / 6.0))];
    let swish = Builder::new(&[0, 3, 5, 7]).node("HardSigmoid", "x", "a", attributes).node("Mul", "x a", "y", []);
    assert_eq!(swish.text(), "<3x5x7> -> hardswish");
}

#[test]
fn shapes_are_computed_where_the_number_of_samples_is_not_known() {
    // What PyTorch writes for `x.view(x.size(0), -1)`.
    let net = Builder::new(&[0, 3, 5, 7])
        .ints("zero", &[0])
        .ints("rest", &[-1])
        .weight("w", &[105, 2])
        .node("Shape", "x", "a", [])
        .node("Gather", "a zero", "b", [])
        .node("Concat", "b rest", "c", [("axis", Int(0))])
        .node("Reshape", "x c", "d", [])
        .node("MatMul", "d w", "y", []);
    assert_eq!(net.text(), "<3x5x7> -> fc(2, nobias)");
}

#[test]
fn channels_are_shuffled() {
    let net = Builder::new(&[0, 6, 5, 7])
        .ints("split", &[0, 2, 3, 5, 7])
        .ints("whole", &[0, 6, 5, 7])
        .node("Reshape", "x split", "a", [])
        .node("Transpose", "a", "b", [("perm", Ints(&[0, 2, 1, 3, 4]))])
        .node("Reshape", "b whole", "y", []);
    assert_eq!(net.text(), "<6x5x7> -> reshape(2x3x35) -> permute(hcw) -> reshape(6x5x7)");
}

#[test]
fn a_bias_before_a_normalisation_is_said() {
    let net = |inputs| {
        Builder::new(&[0, 3, 5, 7]).weight("w", &[4, 3, 1, 1]).weight("b", &[4]).node("Conv", inputs, "a", []).node(
            "BatchNormalization",
            "a b b b b",
            "y",
            [("momentum", Float(0.9))],
        )
    };
    assert_eq!(net("x w").text(), "<3x5x7> -> conv(4, 1x1) -> bn");
    assert_eq!(net("x w b").text(), "<3x5x7> -> conv(4, 1x1, bias) -> bn");
}

#[test]
fn windows_keep_all_their_options() {
    let net = Builder::new(&[0, 4, 9, 9]).weight("w", &[8, 1, 3, 3]).node(
        "Conv",
        "x w",
        "y",
        [("group", Int(4)), ("strides", Ints(&[2, 1])), ("dilations", Ints(&[1, 2])), ("pads", Ints(&[1, 0, 0, 2]))],
    );
    assert_eq!(net.text(), "<4x9x9> -> dwconv(3x3, s2x1, p1x0x0x2, d1x2, m2, nobias)");
    let pool = |op, size| {
        Builder::new(&[0, 4, size, size]).node(
            op,
            "x",
            "y",
            [
                ("kernel_shape", Ints(&[3, 3])),
                ("strides", Ints(&[2, 2])),
                ("ceil_mode", Int(1)),
                ("auto_pad", Text("VALID")),
            ],
        )
    };
    assert_eq!(pool("MaxPool", 8).text(), "<4x8x8> -> pool(3, s2, ceil)");
    assert_eq!(pool("AveragePool", 8).text(), "<4x8x8> -> avgpool(3, s2, ceil)");
    // Where it changes nothing, and where the window is wider than its input.
    assert_eq!(pool("MaxPool", 7).text(), "<4x7x7> -> pool(3, s2)");
    assert_eq!(pool("MaxPool", 2).text(), "<4x2x2> -> pool(3, s2, ceil)");
    assert!(pool("MaxPool", 1).problem().ends_with("its window spans 3 rows or columns, and its padded input has 1"));
}

#[test]
fn means_over_any_axes_are_pools() {
    let net =
        |axes| Builder::new(&[0, 3, 5, 7]).node("ReduceMean", "x", "y", [("axes", Ints(axes)), ("keepdims", Int(0))]);
    assert_eq!(net(&[2, 3]).text(), "<3x5x7> -> avgpool(global) -> flatten");
    assert_eq!(
        net(&[-3]).text(),
        "<3x5x7> -> reshape(3x35x1) -> permute(hcw) -> reshape(35x1x3) -> avgpool(global) -> reshape(5x1x7)"
    );
}

#[test]
fn axes_that_are_not_resized_stay_as_long_as_they_are() {
    // The next shorter float is 2^24.
    let net = Builder::new(&[0, (1 << 24) + 1, 1, 2]).ints("sizes", &[4]);
    let net = net.node("Resize", "x   sizes", "y", [("axes", Ints(&[3]))]);
    assert_eq!(net.text(), "<16777217x1x2> -> upsample(1x2, nearest)");
}

#[test]
fn old_versions_mean_what_they_meant() {
    let softmax = |version| Builder::new(&[0, 3, 5, 7]).opset(version).node("Softmax", "x", "y", [("axis", Int(1))]);
    assert_eq!(softmax(11).text(), "<3x5x7> -> flatten -> softmax -> reshape(3x5x7)");
    assert_eq!(softmax(13).text(), "<3x5x7> -> softmax");
    let clip = Builder::new(&[0, 3, 5, 7]).opset(7).node("Clip", "x", "y", [("min", Float(0.0)), ("max", Float(6.0))]);
    assert_eq!(clip.text(), "<3x5x7> -> relu6");
    let transposed = |version, auto| {
        let attributes = [("strides", Ints(&[2, 2])), ("output_shape", Ints(&[6, 6])), ("auto_pad", Text(auto))];
        let net = Builder::new(&[0, 1, 3, 3]).opset(version).weight("w", &[1, 1, 3, 3]);
        net.node("ConvTranspose", "x w", "y", attributes).text()
    };
    for (version, auto, pad) in [
        (10, "NOTSET", "p0x0x1x1"),
        (10, "SAME_UPPER", "p1x1x0x0"),
        (11, "NOTSET", "p1x1x0x0"),
        (11, "SAME_UPPER", "p0x0x1x1"),
    ] {
        let expected = format!("<1x3x3> -> conv_transpose(1, 3x3, s2, {pad}, nobias)");
        assert_eq!(transposed(version, auto), expected, "{auto} of {version}");
    }
    let resize = |mode, scales: [f32; 2]| {
        let (float_data, dims) = (vec![1.0, 1.0, scales[0], scales[1]], vec![4]);
        let scales = TensorProto { name: "s".into(), dims, data_type: 1, float_data, ..Default::default() };
        Builder::new(&[0, 1, 2, 4]).opset(10).tensor(scales).node("Resize", "x s", "y", [("mode", Text(mode))])
    };
    let sixths = "scale_h=0.6, scale_w=0.6)";
    assert_eq!(
        resize("nearest", [0.6, 0.6]).text(),
        format!("<1x2x4> -> resize(1x2, nearest, asymmetric, ceil, {sixths}")
    );
    assert_eq!(resize("linear", [0.6, 0.6]).text(), format!("<1x2x4> -> resize(1x2, bilinear, asymmetric, {sixths}"));
    assert_eq!(resize("nearest", [2.0, 0.5]).text(), "<1x2x4> -> resize(4x2, nearest, asymmetric, floor)");
    assert_eq!(resize("nearest", [2.0, 3.0]).text(), "<1x2x4> -> upsample(2x3, nearest)");
    let mixed = resize("nearest", [2.0, 0.6]).problem();
    assert!(mixed.contains("longer and another shorter by a fraction"), "{mixed}");
}

#[test]
fn large_and_small_numbers_have_an_exponent() {
    let net = |op| Builder::new(&[0, 3, 5, 7]).tensor(scalar("c", 1e20)).node(op, "x c", "y", []);
    assert_eq!(net("Clip").text(), "<3x5x7> -> clip(lo=1e20)");
    assert_eq!(net("Sub").text(), "<3x5x7> -> affine(add=-1e20)");
    assert_eq!(net("Div").text(), "<3x5x7> -> affine(mul=1e-20)");
    let net = Builder::new(&[0, 3, 5, 7]).tensor(scalar("c", -3.4e38)).node("Add", "x c", "y", []);
    assert_eq!(net.text(), "<3x5x7> -> affine(add=-3.4e38)");
}
