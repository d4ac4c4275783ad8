use std::collections::HashSet;

use cnn_model::onnx::Model;
use cnn_model::onnx::proto::{AttributeProto, NodeProto, TensorProto};
use prost::Message;

use super::*;
use crate::cnn;
use crate::testing::uniform;

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

#[test]
fn what_is_exported_can_be_imported() {
    let (net, bytes) = exported::<Residual>();
    let imported = Model::read(bytes, None).unwrap().import().unwrap();
    let tensors: Vec<_> = imported.tensors.iter().map(|tensor| tensor.floats().unwrap()).collect();
    let own: Vec<_> = net.tensors().map(|(name, _)| net.tensor(name).unwrap().into_raw_vec_and_offset().0).collect();
    assert_eq!(tensors, own);
    assert!(imported.text.starts_with("<3x17x16>"), "{}", imported.text);
}

#[test]
fn equal_networks_make_equal_files_and_a_failure_none() {
    assert_eq!(exported::<Named>().1, exported::<Named>().1);
    let folder = tempfile::tempdir().unwrap();
    let error = Named::new(1).export_onnx(folder.path().join("none/net.onnx")).unwrap_err();
    assert!(matches!(error, Error::Io { path: Some(_), .. }), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
