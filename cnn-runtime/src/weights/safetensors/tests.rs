use std::collections::HashMap;

use ::safetensors::tensor::TensorView;
use ::safetensors::{Dtype as TheirDtype, SafeTensors, serialize};

use super::*;
use crate::weights::Weights;

/// A file of this header and these bytes behind it.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn refusal(bytes: Vec<u8>) -> String {
    Weights::from_bytes(bytes).unwrap_err().to_string()
}

#[test]
fn the_formats_own_crate_reads_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.safetensors");
    let (floats, integers) = ([1.5f32, -2.0, 0.25, 4.0, 5.0, 6.0], [7u64, u64::MAX]);
    let metadata = BTreeMap::from([("a \"key\"".to_owned(), "a value\n".to_owned()), ("b".into(), "c".into())]);
    let tensors = [
        Tensor::floats("odd", [1, 5], &floats[..5]),
        Tensor::floats("\u{e9}t\u{e9}", [2, 3], &floats),
        Tensor::integers("counts", &integers),
        Tensor::floats("one", [], &floats[..1]),
        Tensor::floats("none", [0, 3], &[]),
    ];
    write(&path, &metadata, &tensors).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let theirs = SafeTensors::deserialize(&bytes).unwrap();
    let view = |name: &str| theirs.tensor(name).unwrap();
    assert_eq!(theirs.len(), 5);
    assert_eq!((view("odd").dtype(), view("odd").shape()), (TheirDtype::F32, &[1, 5][..]));
    assert_eq!(view("\u{e9}t\u{e9}").data(), bytemuck::cast_slice::<_, u8>(&floats));
    assert_eq!(view("counts").data(), bytemuck::cast_slice::<_, u8>(&integers));
    assert_eq!((view("one").shape(), view("none").shape()), (&[][..], &[0, 3][..]));
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(header.metadata().clone().unwrap().into_iter().collect::<BTreeMap<_, _>>(), metadata);

    let ours = Weights::open(&path).unwrap();
    assert_eq!(ours.metadata(), &metadata);
    assert_eq!(ours.integers("counts").unwrap(), integers);
    assert_eq!(ours.tensor("\u{e9}t\u{e9}").unwrap(), ndarray::arr2(&[[1.5, -2.0, 0.25], [4.0, 5.0, 6.0]]).into_dyn());
    assert_eq!(ours.tensor("one").unwrap(), ndarray::arr0(1.5).into_dyn());
}

#[test]
fn what_the_formats_own_crate_writes_is_read() {
    let halves = [0x3c00u16, 0xc000];
    let doubles = [0.5f64, -1e300];
    let half = TensorView::new(TheirDtype::F16, vec![2], bytemuck::cast_slice(&halves)).unwrap();
    let double = TensorView::new(TheirDtype::F64, vec![2, 1], bytemuck::cast_slice(&doubles)).unwrap();
    let flags = TensorView::new(TheirDtype::BOOL, vec![3], &[0, 1, 1]).unwrap();
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = serialize([("half", half), ("double", double), ("flags", flags)], Some(metadata)).unwrap();
    let ours = Weights::from_bytes(bytes).unwrap();
    assert_eq!(ours.metadata()["format"], "pt");
    assert_eq!(ours.tensors().map(|tensor| tensor.name()).collect::<Vec<_>>(), ["double", "half", "flags"]);
    assert_eq!(ours.tensor("half").unwrap().into_raw_vec_and_offset().0, [1.0, -2.0]);
    assert_eq!(ours.tensor("double").unwrap().into_raw_vec_and_offset().0, [0.5, f32::NEG_INFINITY]);
    let error = ours.tensor("flags").unwrap_err().to_string();
    assert_eq!(error, "in-memory data: `flags` has numbers of type BOOL, expected floats");
    assert!(ours.integers("half").unwrap_err().to_string().contains("type F16, expected U64"));
    let error = ours.tensor("halve").unwrap_err().to_string();
    assert_eq!(error, "in-memory data: expected a tensor `halve`, found 3 others: `double`, `half`, `flags` ..");
}

#[test]
fn equal_contents_make_equal_files() {
    let folder = tempfile::tempdir().unwrap();
    let values = [1.0, 2.0];
    let metadata = ["b", "a", "d", "c"].map(|key| (key.to_owned(), key.to_owned())).into();
    let paths = ["a", "b"].map(|name| folder.path().join(name));
    for path in &paths {
        let tensors = [Tensor::floats("y", [2], &values), Tensor::floats("x", [1, 2], &values)];
        write(path, &metadata, &tensors).unwrap();
    }
    let [a, b] = paths.map(|path| std::fs::read(path).unwrap());
    assert_eq!(a, b);
}

#[test]
fn two_tensors_of_one_name_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let tensors = [Tensor::floats("x", [1], &[1.0]), Tensor::floats("x", [1], &[2.0])];
    assert!(write(&path, &BTreeMap::new(), &tensors).unwrap_err().to_string().ends_with("two tensors `x`"));
    assert!(!path.exists());
}

#[test]
fn says_what_is_wrong_with_a_header() {
    assert!(refusal(vec![1, 2]).ends_with("expected a safetensors file, found 2 bytes"));
    let archive = refusal(b"PK\x03\x04..net/data.pkl..".to_vec());
    assert!(archive.contains("found a checkpoint of PyTorch: in Python, `safetensors.torch.save_file("), "{archive}");
    assert!(refusal(file("[]", b"")).contains("whose header is a JSON object"));
    assert!(refusal(file("{\"a\": \u{1}", b"")).contains("whose header is a JSON object"));
    assert!(refusal(file(&"[".repeat(100_000), b"")).contains("whose header is a JSON object"));
    assert!(refusal(file(r#"{"__metadata__": {"a": 1}}"#, b"")).contains("expected texts in __metadata__"));
    let cases = [
        (r#"{"x": 3}"#, "`x`: expected a `dtype`"),
        (r#"{"x": {"dtype": "F4", "shape": [2], "data_offsets": [0, 1]}}"#, "found `\\\"F4\\\"`"),
        (
            r#"{"x": {"dtype": "U8", "shape": [-1], "data_offsets": [0, 1]}}"#,
            "`x`: expected a `shape` of whole numbers",
        ),
        (
            r#"{"x": {"dtype": "U8", "shape": [1.5], "data_offsets": [0, 1]}}"#,
            "`x`: expected a `shape` of whole numbers",
        ),
        (r#"{"x": {"dtype": "U8", "shape": [1], "data_offsets": [1, 0]}}"#, "`x`: expected `data_offsets` of two"),
        (r#"{"x": {"dtype": "U8", "shape": [1], "data_offsets": [1]}}"#, "`x`: expected `data_offsets` of two"),
        (r#"{"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}"#, "a `shape` that F32 take 4 bytes for"),
    ];
    for (header, expected) in cases {
        let found = refusal(file(header, &[0; 4]));
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn tensors_have_to_cover_the_file_without_gap_or_overlap() {
    let two = |a: [u8; 2], b: [u8; 2]| {
        let entry = |[start, end]: [u8; 2]| {
            format!(r#"{{"dtype": "U8", "shape": [{}], "data_offsets": [{start}, {end}]}}"#, end - start)
        };
        file(&format!(r#"{{"a": {}, "b": {}}}"#, entry(a), entry(b)), &[0; 8])
    };
    assert_eq!(Weights::from_bytes(two([5, 8], [0, 5])).unwrap().tensors().count(), 2);
    assert!(refusal(two([0, 4], [5, 8])).contains("expected `b` at bytes 4.. of 8, found it at 5..8"));
    assert!(refusal(two([0, 5], [4, 8])).contains("expected `b` at bytes 5.. of 8, found it at 4..8"));
    assert!(refusal(two([0, 5], [5, 9])).contains("expected `b` at bytes 5.. of 8, found it at 5..9"));
    assert!(refusal(two([0, 5], [5, 7])).contains("expected 7 bytes of numbers, as the header says, found 8"));
}

#[test]
fn hostile_sizes_are_refused() {
    for claim in [u64::MAX, 1 << 40, 1_000] {
        let bytes = [&claim.to_le_bytes()[..], b"{}"].concat();
        assert!(refusal(bytes).contains(&format!("found 10 bytes, and {claim} claimed for a header")));
    }
    let sides = "18446744073709551615, 4294967296, 4294967296";
    let header = format!(r#"{{"x": {{"dtype": "F32", "shape": [{sides}], "data_offsets": [0, 0]}}}}"#);
    assert!(refusal(file(&header, b"")).contains("`x`: expected a `shape` that F32 take 0 bytes for"));
    let header = r#"{"x": {"dtype": "F32", "shape": [1000000000000], "data_offsets": [0, 4000000000000]}}"#;
    assert!(refusal(file(header, &[0; 4])).contains("expected `x` at bytes 0.. of 4, found it at 0..4000000000000"));
}
