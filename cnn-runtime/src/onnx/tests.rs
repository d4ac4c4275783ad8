use std::collections::HashSet;

use cnn_model::onnx::proto::{AttributeProto, NodeProto, TensorProto};
use cnn_model::onnx::{Imported, Model};
use prost::Message;

use super::*;
use crate::cnn;
use crate::testing::uniform;
use crate::weights::{Loader, Weights};

cnn! {
    block basic(c, s = 1) =
        add(conv(c, 3x3, s, p1) -> bn(momentum = 0.2) -> relu -> conv(c, 3x3, p1) -> bn, shortcut(c, s)) -> relu;

    Residual <3x17x16>
        -> conv(4, 3x3, same, s2) -> bn -> relu -> basic(17, s2) -> dropout(0.25) -> avgpool(global) -> fc(5);

    Named <1x6x6> -> input = conv(2, 3x3) -> silu -> concat(id, input) -> lrn(size = 3) -> fc(3, nobias) -> softmax;

    Pools <2x9x9>
        -> concat(
            pool(3, s2, p1), pool(9) -> upsample(5), avgpool(3, s2, p1), avgpool(3, s2, p1, excludepad),
            avgpool(2, ceil), avgpool(4, s2, p1, ceil)
        );

    /// Whose own names are not those that an import counts out.
    Crossed <4x8x8> -> conv(4, 3x3, p1) -> conv1 = conv(4, 3x3, p1) -> relu -> add(id, conv1) -> prelu -> scale(1x8x1);

    /// What an import makes of it.
    Counted <4x8x8> -> x1 = conv(4, 3x3, p1) -> conv(4, 3x3, p1) -> add(relu, id) -> prelu -> scale(1x8x1);

    Sums <4x5x3> -> add(id, relu, avgpool(global) -> expand(4x5x3));

    Pointwise <6x5x3>
        -> concat(
            relu6, leaky_relu(0.2), elu(0.7), gelu, silu, hardswish, tanh, sigmoid, softmax, log_softmax,
            selu(1.5, 0.9), clip(-1, 2), clip(lo = -0.5), clip(hi = 0.5), hardsigmoid, gelu(tanh), affine(2, 0.5),
            sigmoid -> reciprocal, prelu, prelu(shared), scale, scale(1x1x3), shift, shift(6x5x1)
        );

    Shapes <6x8x5>
        -> mul(id, avgpool(global) -> conv(6, 1x1) -> sigmoid) -> sub(id, conv(6, 8x5) -> expand(6x1x5))
        -> div(id, conv(1, 1x1) -> sigmoid) -> permute(hwc) -> reshape(5x16x3) -> permute(whc)
        -> flatten -> fc(12) -> add(reshape(3x2x2) -> conv(3, 1x1) -> reshape(12), dropout(0.3)) -> sub(id, fc(1))
        -> prelu -> scale -> shift(1) -> bn -> concat(softmax, log_softmax, elu, fc(1)) -> reshape(37x1x1);

    Stretched <1x4x4> -> resize(8x8, scale_h = 1.5) -> fc(3);

    Spatial <4x5x3>
        -> conv_transpose(6, 3x2, s2, p1, o1x0, g2) -> pad(1, edge) -> pad(0x1x2x0, value = 0.5)
        -> resize(7x5, bilinear, align_corners) -> resize(4x3, asymmetric, ceil, scale_h = 0.6)
}

/// A network whose numbers are all different, as a file.
fn exported<N: Network>() -> (N, Vec<u8>) {
    let mut net = N::new(1);
    for (seed, tensor) in (0..).zip(N::INFO.tensors) {
        let values = uniform(seed, tensor.len()).iter().map(|value| 1.5 + value).collect();
        net.set_tensor(tensor.name, ndarray::ArrayD::from_shape_vec(tensor.shape, values).unwrap().view()).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.onnx");
    net.export_onnx(&path).unwrap();
    (net, std::fs::read(path).unwrap())
}

/// A model's graph, whose names have been found to be in order.
fn graph<N: Network>() -> GraphProto {
    let (net, bytes) = exported::<N>();
    let model = ModelProto::decode(&bytes[..]).unwrap();
    assert_eq!((model.ir_version, model.opset_import[0].version), (9, 20));
    let said = |key: &str| model.metadata_props.iter().find(|entry| entry.key == key).unwrap().value.clone();
    assert_eq!(said("cnn.hash"), format!("{:016x}", N::INFO.hash));
    let graph = model.graph.unwrap();
    let mut known: HashSet<&str> = graph.initializer.iter().map(|tensor| &tensor.name[..]).collect();
    assert_eq!(known.len(), graph.initializer.len());
    assert!(known.insert(&graph.input[0].name));
    for node in &graph.node {
        let missing = node.input.iter().find(|name| !name.is_empty() && !known.contains(&name[..]));
        assert_eq!(missing, None, "{}", node.name);
        assert!(known.insert(&node.output[0]), "{}", node.output[0]);
    }
    assert!(known.contains(&graph.output[0].name[..]));
    for layer in N::INFO.layers {
        assert!(graph.node.iter().any(|node| node.name == layer.name && node.doc_string == layer.text));
    }
    for info in N::INFO.tensors {
        let written = initializer(&graph, info.name);
        let values: Vec<f32> =
            written.raw_data.as_ref().unwrap().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        assert_eq!(values, net.tensor(info.name).unwrap().into_raw_vec_and_offset().0, "{}", info.name);
        assert_eq!(written.dims.iter().product::<i64>(), info.len() as i64);
    }
    graph
}

fn initializer<'g>(graph: &'g GraphProto, name: &str) -> &'g TensorProto {
    graph.initializer.iter().find(|tensor| tensor.name == name).unwrap()
}

fn node<'g>(graph: &'g GraphProto, name: &str) -> &'g NodeProto {
    graph.node.iter().find(|node| node.name == name).unwrap()
}

fn attribute<'g>(node: &'g NodeProto, name: &str) -> &'g AttributeProto {
    node.attribute.iter().find(|attribute| attribute.name == name).unwrap()
}

#[test]
fn layers_are_nodes_of_their_names() {
    let graph = graph::<Residual>();
    let conv = node(&graph, "conv1");
    assert_eq!((conv.op_type.as_str(), &conv.input[..]), ("Conv", &["input", "conv1.weight"].map(String::from)[..]));
    // `same` at stride 2: one row below, one column at the right, and one more row above.
    assert_eq!(attribute(conv, "pads").ints, [1, 0, 1, 1]);
    let norm = node(&graph, "basic1.bn1");
    let tensors = ["weight", "bias", "running_mean", "running_var"].map(|part| format!("basic1.bn1.{part}"));
    assert_eq!(norm.input[1..], tensors);
    assert_eq!(attribute(norm, "momentum").f, Some(0.8));
    assert_eq!(node(&graph, "avgpool1").op_type, "GlobalAveragePool");
    let fc = node(&graph, "fc1");
    assert_eq!((fc.op_type.as_str(), &fc.input[0][..]), ("Gemm", "fc1/flatten"));
    assert_eq!(graph.output[0].name, "fc1");
    assert_eq!(graph.output[0].r#type, Some(batch_of(&[5])));
    assert_eq!(graph.input[0].r#type, Some(batch_of(&[3, 17, 16])));
}

#[test]
fn a_layer_may_be_called_input() {
    let graph = graph::<Named>();
    assert_eq!(graph.input[0].name, "input_");
    assert_eq!(node(&graph, "concat1").input, ["silu1", "input"]);
    assert_eq!(node(&graph, "silu1").input, ["input", "silu1/sigmoid"]);
}

#[test]
fn padding_counts_in_an_average_as_it_was_declared() {
    let graph = graph::<Pools>();
    let pads = |name: &str| &attribute(node(&graph, name), "pads").ints[..];
    let included = |name: &str| attribute(node(&graph, name), "count_include_pad").i;
    assert_eq!(node(&graph, "pool2").op_type, "GlobalMaxPool");
    assert_eq!((pads("avgpool1"), included("avgpool1")), (&[1; 4][..], Some(1)));
    assert_eq!((pads("avgpool2"), included("avgpool2")), (&[1; 4][..], Some(0)));
    assert_eq!((pads("avgpool3"), included("avgpool3")), (&[0, 0, 1, 1][..], Some(0)));
    // A row that counts on every side, and one more behind that does not: the last windows grow by 4 / 3.
    assert_eq!(node(&graph, "avgpool4").input, ["avgpool4/mean", "avgpool4/growth"]);
    assert_eq!(pads("avgpool4/mean"), [0; 4]);
    let growth = initializer(&graph, "avgpool4/growth");
    let values = growth.raw_data.as_ref().unwrap().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
    let values: Vec<f32> = values.collect();
    assert_eq!((&growth.dims[..], values[0], values[24]), (&[5, 5][..], 1.0, 16.0 / 9.0));
}

#[test]
fn layers_that_move_pixels_have_onnx_s_arguments() {
    let graph = graph::<Spatial>();
    let conv = node(&graph, "conv_transpose1");
    assert_eq!(conv.op_type, "ConvTranspose");
    assert_eq!((attribute(conv, "output_padding").ints.as_slice(), attribute(conv, "group").i), (&[1, 0][..], Some(2)));
    assert_eq!(initializer(&graph, "conv_transpose1.weight").dims, [4, 3, 3, 2]);
    assert_eq!(attribute(node(&graph, "pad1"), "mode").s.as_deref(), Some(&b"edge"[..]));
    assert_eq!(node(&graph, "pad2").input[2], "pad2/value");
    let [sized, scaled] = ["resize1", "resize2"].map(|name| node(&graph, name));
    assert_eq!(sized.input[1..], ["", "", "resize1/sizes"]);
    assert_eq!(scaled.input[1..], ["", "resize2/scales"]);
    assert_eq!(attribute(scaled, "nearest_mode").s.as_deref(), Some(&b"ceil"[..]));
}

/// What an export is imported as, and the text of it on one line.
fn imported<N: Network>() -> (Imported, String) {
    let imported = Model::read(exported::<N>().1, None).unwrap().import();
    let imported = imported.unwrap_or_else(|error| panic!("{}: {error}", N::INFO.name));
    let text = imported.text.split_whitespace().collect::<Vec<_>>().join(" ");
    (imported, text)
}

#[test]
fn what_is_exported_can_be_imported() {
    let net = exported::<Residual>().0;
    let (model, text) = imported::<Residual>();
    let tensors: Vec<_> = model.tensors.iter().map(|tensor| tensor.floats().unwrap()).collect();
    let own: Vec<_> = net.tensors().map(|(name, _)| net.tensor(name).unwrap().into_raw_vec_and_offset().0).collect();
    assert_eq!(tensors, own);
    assert!(text.starts_with("<3x17x16>"), "{text}");
    assert_eq!(imported::<Sums>().1, "<4x5x3> -> add(id, relu, avgpool(global) -> expand(4x5x3)) <4x5x3>");
    // All operators that are written are known.
    imported::<Named>();
    imported::<Pools>();
    imported::<Spatial>();
    imported::<Pointwise>();
    imported::<Shapes>();
}

/// What an export loads into a new network of its kind.
fn loaded<N: Network>() {
    let (net, bytes) = exported::<N>();
    let mut again = N::new(2);
    Loader::new().apply(&mut again, &Weights::from_bytes(bytes).unwrap()).unwrap();
    assert_eq!(again.params().values(), net.params().values());
    assert_eq!(again.params().state(), net.params().state());
}

#[test]
fn what_is_exported_loads_by_its_own_names() {
    loaded::<Residual>();
    loaded::<Named>();
    loaded::<Crossed>();
    loaded::<Spatial>();
    loaded::<Pointwise>();
    loaded::<Shapes>();
}

#[test]
fn a_network_made_of_an_export_loads_it_by_its_own_names() {
    let (net, bytes) = exported::<Crossed>();
    let (imported, text) = imported::<Crossed>();
    let names: Vec<_> = imported.tensors.iter().map(|tensor| &tensor.name[..]).collect();
    let counted: Vec<_> = Counted::INFO.tensors.iter().map(|tensor| tensor.name).collect();
    assert_eq!(names, counted, "{text}");
    let mut other = Counted::new(2);
    Loader::new().apply(&mut other, &Weights::from_bytes(bytes).unwrap()).unwrap();
    assert_eq!(other.params().values(), net.params().values());
}

#[test]
fn a_scale_that_makes_another_size_in_onnx_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = Stretched::new(1).export_onnx(folder.path().join("net.onnx")).unwrap_err();
    let text = "layer to be exported: expected a `scale_h` that makes 8 rows of 4 in ONNX, which rounds down, found 1.5 in \
                `resize1`, which makes 6: leave `scale_h` out";
    assert_eq!(error.to_string(), text);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn equal_networks_make_equal_files_and_a_failure_none() {
    assert_eq!(exported::<Named>().1, exported::<Named>().1);
    let folder = tempfile::tempdir().unwrap();
    let error = Named::new(1).export_onnx(folder.path().join("none/net.onnx")).unwrap_err();
    assert!(matches!(error, Error::Io { path: Some(_), .. }), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
