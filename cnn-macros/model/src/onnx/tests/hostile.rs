//! Files that nobody would write.

use std::fs;

use super::Attribute::{Int, Ints};
use super::{Builder, random};
use crate::onnx::Model;
use crate::onnx::proto::{AttributeProto, StringStringEntryProto, TensorProto, data_type};

fn model() -> Builder {
    Builder::new(&[0, 3, 9, 9])
        .weight("w", &[4, 3, 3, 3])
        .weight("b", &[4])
        .ints("shape", &[0, -1])
        .node("Conv", "x w b", "a", [("pads", Ints(&[1, 1, 1, 1]))])
        .node("BatchNormalization", "a b b b b", "c", [])
        .node("Add", "a c", "d", [])
        .node("AveragePool", "d", "e", [("kernel_shape", Ints(&[2, 2])), ("strides", Ints(&[2, 2]))])
        .node("Reshape", "e shape", "f", [])
        .node("Softmax", "f", "y", [])
}

#[test]
fn truncated_files_are_errors() {
    let bytes = model().bytes();
    assert!(Model::read(bytes.clone(), None).unwrap().import().is_ok());
    for length in 0..bytes.len() {
        if let Ok(model) = Model::read(bytes[..length].to_vec(), None) {
            assert!(model.import().is_err(), "{length} of {} bytes", bytes.len());
        }
    }
}

/// Bytes changed, removed, repeated and inserted at random: an error or a network, in bounded time. `CNN_FUZZ` sets how
/// many files are tried.
#[test]
fn damaged_files_do_no_harm() {
    let original = model().bytes();
    let rounds = std::env::var("CNN_FUZZ").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(20_000);
    let mut random = random();
    let mut imported = 0;
    for _ in 0..rounds {
        let mut bytes = original.clone();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            match random(5) {
                0 => bytes[at] = random(256) as u8,
                1 => bytes[at] ^= 1 << random(8),
                2 => drop(bytes.remove(at)),
                3 => bytes.insert(at, [0, 1, 127, 128, 255][random(5)]),
                _ => {
                    let end = (at + random(40)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        if let Ok(network) = Model::read(bytes, None).and_then(|model| model.import()) {
            imported += 1;
            for tensor in &network.tensors {
                let floats = tensor.floats().unwrap();
                assert_eq!(floats.len(), tensor.shape().iter().product::<usize>());
            }
        }
    }
    // Many changes only touch names and weights.
    assert!(imported > rounds / 20, "{imported} of {rounds}");
}

#[test]
fn sizes_that_overflow_are_errors() {
    let huge = i64::MAX;
    for dims in [vec![huge, huge, huge, huge], vec![1 << 20; 4], vec![-1, 3, 3, 3], vec![0, 3, 3, 3]] {
        let tensor = TensorProto { name: "w".into(), dims, data_type: 1, ..Default::default() };
        let net = Builder::new(&[0, 3, 9, 9]).tensor(tensor).node("Conv", "x w", "y", []);
        assert!(net.import().is_err());
    }
    assert!(Builder::new(&[0, huge, huge, huge]).node("Relu", "x", "y", []).import().is_err());
    for attribute in ["pads", "strides", "dilations"] {
        let net = Builder::new(&[0, 3, 9, 9]).weight("w", &[4, 3, 3, 3]);
        let sizes: &[i64] = if attribute == "pads" { &[i64::MAX; 4] } else { &[i64::MAX; 2] };
        let net = net.node("Conv", "x w", "y", [(attribute, Ints(sizes))]);
        // A stride beyond the input leaves one window.
        assert_eq!(net.import().is_ok(), attribute == "strides");
    }
}

#[test]
fn claims_of_gigabytes_are_held_against_the_file() {
    let tensor = TensorProto {
        name: "w".into(),
        dims: vec![1 << 18, 1 << 12, 1, 1],
        data_type: 1,
        raw_data: Some(vec![0; 16].into()),
        ..Default::default()
    };
    let net = Builder::new(&[0, 1 << 12, 9, 9]).tensor(tensor).node("Conv", "x w", "y", []);
    assert_eq!(net.problem(), "tensor `w`: its shape [262144, 4096, 1, 1] does not agree with its 16 bytes");
    let net = Builder::new(&[0, 3, 9, 9])
        .ints("shape", &[1 << 20, 1 << 20])
        .node("ConstantOfShape", "shape", "c", [])
        .node("Add", "x c", "y", []);
    assert!(net.problem().contains("makes up more than"));
    // Many constants of which none is too large.
    let mut net = Builder::new(&[0, 3, 9, 9]).ints("shape", &[1 << 21]);
    for index in 0..9 {
        net = net.node("ConstantOfShape", "shape", &format!("c{index}"), []);
    }
    let net = net.node("Relu", "x", "y", []);
    let refusal = "the model computes too large constants: fold them before it is exported";
    assert!(net.problem().ends_with(refusal));
    // One that is joined of many, or that is looked at by many.
    let net = || {
        let net = Builder::new(&[0, 3, 9, 9]).ints("shape", &[1 << 22]).ints("first", &[0]);
        net.node("ConstantOfShape", "shape", "c", []).node("Relu", "x", "y", [])
    };
    let parts = ["c"; 4096].join(" ");
    assert!(net().node("Concat", &parts, "d", [("axis", Int(0))]).problem().ends_with(refusal));
    let looks = (0..4096).fold(net(), |net, index| net.node("Gather", "c first", &format!("d{index}"), []));
    let error = looks.import().map(|imported| imported.text).unwrap_err();
    assert!(error.problems().len() > 4000 && error.problems().iter().all(|problem| problem.ends_with(refusal)));
    // What nobody looks at costs nothing.
    let names = (0..4096).fold(net(), |net, index| net.node("Identity", "c", &format!("d{index}"), []));
    assert!(names.import().is_ok());
}

#[test]
fn axes_without_number_are_refused() {
    const MANY: &[i64] = &[1; 17];
    let refusal = "its shape has 17 axes: at most 16 can be imported";
    let ends = |builder: Builder, end: &str| {
        let problem = builder.problem();
        assert!(problem.ends_with(end), "{problem}");
    };
    let net = || Builder::new(&[0, 3, 9, 9]).weight("c", &[1]).ints("many", MANY);
    ends(Builder::new(MANY).node("Relu", "x", "y", []), &format!("input `x`: {refusal}"));
    ends(net().weight("d", MANY).node("Add", "x d", "y", []), &format!("tensor `d`: {refusal}"));
    ends(net().node("Reshape", "x many", "y", []), refusal);
    ends(net().node("Reshape", "c many", "d", []).node("Add", "x d", "y", []), refusal);
    ends(net().node("ConstantOfShape", "many", "d", []).node("Add", "x d", "y", []), refusal);
    let axes = || [("axes", Ints(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]))];
    let net = || net().opset(12);
    ends(net().node("Unsqueeze", "x", "y", axes()), "its shape has 20 axes: at most 16 can be imported");
    ends(net().node("Unsqueeze", "c", "d", axes()).node("Add", "x d", "y", []), refusal);
    // As many as possible, along most of which nothing is stepped.
    let net = Builder::new(&[0, 3, 9, 9]).weight("c", &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 9]);
    let net = net.weight("d", &[3, 1, 1]).ints("three", &[3, 1, 9]).node("Add", "c d", "e", []);
    let net = net.node("Reshape", "e three", "f", []).node("Mul", "x f", "y", []);
    let floats = net.import().unwrap().tensors[0].floats().unwrap();
    let expected = (1..=3).flat_map(|row| (1..=9).map(move |column| (row + column) as f32));
    assert!(floats.into_iter().eq(expected));
}

#[test]
fn long_lists_are_not_taken_for_shapes() {
    let flags = TensorProto {
        name: "many".into(),
        dims: vec![1 << 20],
        data_type: data_type::BOOL,
        raw_data: Some(vec![1; 1 << 20].into()),
        ..Default::default()
    };
    let net = || Builder::new(&[0, 3, 9, 9]).tensor(flags.clone()).weight("c", &[1]).ints("no", &[]);
    let refused = |net: Builder, reads: usize| {
        let error = net.import().map(|imported| imported.text).unwrap_err();
        assert_eq!(error.problems().len(), reads);
        let refusal = "1048576 numbers stand where at most 32 can, for axes or for their sizes";
        assert!(error.problems().iter().all(|problem| problem.ends_with(refusal)), "{error}");
    };
    // One look at them would cost little, one for each node much.
    let many = (0..5_000).fold(net(), |net, index| net.node("Reshape", "x many", &format!("a{index}"), []));
    refused(many.node("Relu", "x", "y", []), 5_000);
    for (operator, input) in [
        ("Unsqueeze", "x many"),
        ("Squeeze", "x many"),
        ("Pad", "x many"),
        ("Resize", "x no no many"),
        ("Resize", "x no many"),
        ("ConstantOfShape", "many"),
        ("Reshape", "c many"),
        ("Unsqueeze", "c many"),
        ("Slice", "c many many"),
    ] {
        refused(net().node(operator, input, "a", []).node("Relu", "x", "y", []), 1);
    }
    refused(net().opset(18).node("ReduceMean", "x many", "a", []).node("Relu", "x", "y", []), 1);
}

#[test]
fn other_files_are_read_inside_the_folder_only() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("models");
    fs::create_dir(&inside).unwrap();
    fs::write(folder.path().join("secret"), [0; 64]).unwrap();
    fs::write(inside.join("weights"), 1_f32.to_le_bytes().repeat(16)).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path().join("secret"), inside.join("link")).unwrap();
    let import = |entries: &[(&str, &str)]| {
        let entry = |(key, value): &(&str, &str)| StringStringEntryProto { key: (*key).into(), value: (*value).into() };
        let external_data = entries.iter().map(entry).collect();
        let tensor = TensorProto {
            name: "w".into(),
            dims: vec![4, 3],
            data_type: 1,
            data_location: 1,
            external_data,
            ..Default::default()
        };
        let net = Builder::new(&[0, 4]).tensor(tensor).node("MatMul", "x w", "y", []);
        let path = inside.join("model.onnx");
        fs::write(&path, net.bytes()).unwrap();
        Model::open(path).unwrap().import()?.tensors[0].floats()
    };
    assert_eq!(import(&[("location", "weights"), ("offset", "16"), ("length", "48")]), Ok(vec![1.0; 12]));
    let secret = folder.path().join("secret");
    let outside = ["../secret", secret.to_str().unwrap(), "", "a/../../secret", "link", ".", "missing"];
    for location in outside.iter().take(if cfg!(unix) { 7 } else { 4 }) {
        assert!(import(&[("location", location)]).is_err(), "{location}");
    }
    for (offset, length) in [("17", "48"), ("-1", "48"), ("18446744073709551615", "48"), ("0", "4"), ("x", "48")] {
        assert!(
            import(&[("location", "weights"), ("offset", offset), ("length", length)]).is_err(),
            "{offset} {length}"
        );
    }
    // A model from memory has no folder.
    let entry = StringStringEntryProto { key: "location".into(), value: "weights".into() };
    let tensor = TensorProto {
        name: "w".into(),
        dims: vec![4],
        data_type: 1,
        data_location: 1,
        external_data: vec![entry],
        ..Default::default()
    };
    assert!(Builder::new(&[0, 4]).tensor(tensor).node("Mul", "x w", "y", []).import().is_err());
}

#[test]
fn all_other_files_are_known_those_of_nodes_too() {
    let tensor = |location: &str| TensorProto {
        name: location.into(),
        dims: vec![4],
        data_type: 1,
        data_location: 1,
        external_data: vec![StringStringEntryProto { key: "location".into(), value: location.into() }],
        ..Default::default()
    };
    let mut net = Builder::new(&[0, 4]).tensor(tensor("b")).node("Constant", "", "c", []).node("Add", "x c", "y", []);
    let value = AttributeProto { name: "value".into(), t: Some(tensor("a").into()), ..Default::default() };
    net.graph().node[0].attribute.push(value);
    let beside = Model::read(net.bytes(), Some("models".as_ref())).unwrap().beside();
    assert_eq!(beside, ["models/a", "models/b"].map(std::path::PathBuf::from));
}

#[test]
fn bytes_that_many_tensors_share_count_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("weights"), vec![0; 1 << 22]).unwrap();
    let tensor = |name: &str, data_type, len| TensorProto {
        name: name.into(),
        dims: vec![len],
        data_type,
        data_location: 1,
        external_data: vec![StringStringEntryProto { key: "location".into(), value: "weights".into() }],
        ..Default::default()
    };
    let import = |net: Builder| Model::read(net.bytes(), Some(folder.path())).unwrap().import();
    // Room for 16 times the file's numbers, and for as many as it has.
    let net = |looks| {
        let mut net = Builder::new(&[0, 3, 9, 9]);
        for index in 0..100 {
            let name = format!("w{index}");
            net =
                net.tensor(tensor(&name, data_type::FLOAT, 1 << 20)).node("Identity", &name, &format!("i{index}"), []);
        }
        let net = (0..looks).fold(net, |net, index| net.node("Transpose", "w0", &format!("t{index}"), []));
        net.node("Relu", "x", "y", [])
    };
    assert!(import(net(17)).is_ok());
    let error = import(net(18)).map(|imported| imported.text).unwrap_err();
    assert!(error.to_string().ends_with("the model computes too large constants: fold them before it is exported"));
    // Whole numbers are not read before they are looked at: these would be many gigabytes.
    let flags = (0..5_000).fold(Builder::new(&[0, 3, 9, 9]), |net, index| {
        let name = format!("f{index}");
        net.tensor(tensor(&name, data_type::BOOL, 1 << 22)).node("Identity", &name, &format!("i{index}"), [])
    });
    assert!(import(flags.node("Relu", "x", "y", [])).is_ok());
}

/// Weights of gigabytes, in a file that has them but takes no room on the disk.
#[cfg(target_os = "linux")]
#[test]
fn sizes_of_products_do_not_overflow() {
    let folder = tempfile::tempdir().unwrap();
    let file = fs::File::create(folder.path().join("weights")).unwrap();
    file.set_len(2 << 33).unwrap();
    for operator in ["MatMul", "Mul", "Add"] {
        let entry = StringStringEntryProto { key: "location".into(), value: "weights".into() };
        let tensor = TensorProto {
            name: "w".into(),
            dims: vec![1, 1 << 33],
            data_type: data_type::FLOAT16,
            data_location: 1,
            external_data: vec![entry],
            ..Default::default()
        };
        let net = Builder::new(&[0, 1 << 31, 1]).tensor(tensor).node(operator, "x w", "y", []);
        let error = Model::read(net.bytes(), Some(folder.path())).unwrap().import().unwrap_err();
        let refusal = "a value of shape [2147483648, 8589934592] has more than 2^31 elements";
        assert!(error.to_string().ends_with(refusal), "{error}");
    }
}

#[test]
fn long_chains_and_wide_joins_take_no_stack() {
    let mut net = Builder::new(&[0, 3, 5, 7]);
    let mut last = "x".to_string();
    for index in 0..50_000 {
        let next = format!("v{index}");
        net = net.node("Relu", &last, &next, []);
        last = next;
    }
    let net = net.node("Relu", &last, "y", []);
    assert!(net.text().starts_with("<3x5x7> -> relu -> relu"));
}
