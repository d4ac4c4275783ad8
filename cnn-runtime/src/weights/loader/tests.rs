use std::collections::BTreeMap;

use ndarray::{ArrayD, IxDyn};

use super::*;
use crate::cnn;
use crate::data::Normalize;
use crate::info::Embedded;
use crate::init::Init;
use crate::weights::{Saver, Tensor, write};

cnn! {
    block basic(c, s = 1) =
        add(conv(c, 3x3, s, p1) -> bn -> relu -> conv(c, 3x3, p1) -> bn, shortcut(c, s)) -> relu;

    #[derive(Clone, Debug, PartialEq)]
    Residual <3x16x16>
        -> conv(4, 3x3, p1) -> bn -> relu -> basic(4) -> basic(17, s2) -> avgpool(global) -> fc(5);

    #[derive(Clone, Debug, PartialEq)]
    OtherHead <3x16x16>
        -> conv(4, 3x3, p1) -> bn -> relu -> basic(4) -> basic(17, s2) -> avgpool(global) -> fc(3);

    #[derive(Clone, Debug, PartialEq)]
    Tiny <1x2x3> -> fc(4) -> relu -> fc(2);
}

/// A network in which every number is another one, running statistics too.
fn distinct<N: Network>(start: f32) -> N {
    let mut net = N::with_init(Init::PyTorch, 1);
    let mut next = start;
    for tensor in N::INFO.tensors {
        let values = ArrayD::from_shape_simple_fn(tensor.shape, || {
            next += 0.5;
            next
        });
        net.set_tensor(tensor.name, values.view()).unwrap();
    }
    net
}

/// A file of `Tiny`, but for what `change` does to its tensors.
fn tiny_file(change: impl FnOnce(&mut Vec<(String, Vec<usize>)>)) -> Weights {
    let mut tensors: Vec<_> = Tiny::INFO.tensors.iter().map(|t| (t.name.to_owned(), t.shape.to_vec())).collect();
    change(&mut tensors);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.safetensors");
    let numbers = [0.5; 100];
    let tensors = tensors
        .iter()
        .map(|(name, shape)| Tensor::floats(name.as_str(), &shape[..], &numbers[..shape.iter().product()]));
    write(&path, &BTreeMap::new(), &tensors.collect::<Vec<_>>()).unwrap();
    Weights::open(path).unwrap()
}

fn mismatch(loader: &Loader, file: &Weights) -> String {
    let before = Tiny::new(3);
    let mut net = before.clone();
    let error = loader.apply(&mut net, file).unwrap_err();
    assert!(matches!(error, Error::WeightsMismatch { .. }), "{error}");
    assert_eq!(net, before, "a network that was not loaded stays as it was");
    let text = error.to_string();
    let (file, text) = text.split_once(' ').unwrap();
    assert!(file.ends_with("tiny.safetensors"), "{file}");
    text.to_owned()
}

#[test]
fn what_is_saved_is_loaded_under_every_naming() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    let net: Residual = distinct(0.0);
    for naming in [Naming::Own, Naming::Torchvision] {
        Saver::new().naming(naming).metadata("epoch", "7").save(&net, &path).unwrap();
        let mut loaded = Residual::new(9);
        let report = Loader::new().load(&mut loaded, &path).unwrap();
        assert_eq!((report.naming, report.loaded.len()), (naming, Residual::INFO.tensors.len()));
        assert_eq!((report.kept, report.surplus), (vec![], vec![]));
        assert_eq!(loaded, net);
        let file = Weights::open(&path).unwrap();
        assert_eq!(file.metadata()["network"], "Residual");
        assert_eq!(file.metadata()["epoch"], "7");
    }
    let file = Weights::open(&path).unwrap();
    let downsample = file.tensor("layer2.0.downsample.0.weight").unwrap();
    assert_eq!(downsample, net.tensor("basic2.shortcut1.conv.weight").unwrap());
    // A naming that was asked for is not given up for one that fits.
    let error = Loader::new().naming(Naming::Own).load(&mut Residual::new(9), &path).unwrap_err();
    assert!(error.to_string().contains("(names as of the network's own)"), "{error}");
}

#[test]
fn save_and_load_are_each_others_inverse() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.safetensors");
    let net: Tiny = distinct(1.0);
    net.save(&path).unwrap();
    let mut loaded = Tiny::new(0);
    loaded.load(&path).unwrap();
    assert_eq!(loaded, net);
    let error = loaded.load(folder.path().join("other")).unwrap_err();
    assert!(matches!(error, Error::Io { path: Some(_), .. }), "{error}");
}

#[test]
fn one_error_lists_all_that_does_not_fit() {
    let file = tiny_file(|tensors| {
        tensors[0].1 = vec![6, 4];
        tensors[1].0 = "fc1.bais".to_owned();
        tensors.push(("extra".to_owned(), vec![1, 2, 3]));
        tensors.remove(2);
    });
    let expected = "does not fit Tiny: 2 missing, 2 surplus, 1 misshapen (names as of the network's own)
  missing: `fc1.bias` [4]; is it `fc1.bais`?
  missing: `fc2.weight` [2, 4]
  surplus: `extra` [1, 2, 3]
  surplus: `fc1.bais` [4]
  misshapen: `fc1.weight`: expected [4, 6], found [6, 4]";
    assert_eq!(mismatch(&Loader::new(), &file), expected);
}

#[test]
fn the_list_is_bounded() {
    let file = tiny_file(|tensors| {
        tensors.extend((0..50).map(|index| (format!("{index:02}{}", "long".repeat(100)), vec![1])));
    });
    let text = mismatch(&Loader::new(), &file);
    assert!(text.starts_with("does not fit Tiny: 50 surplus"));
    assert!(text.ends_with("\n  and 42 more"), "{text}");
    assert!(text.len() < 1000, "{}", text.len());
}

#[test]
fn integers_are_no_weights_and_counts_of_batches_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.safetensors");
    let net: Tiny = distinct(1.0);
    let (weight, bias) = (net.tensor("fc1.weight").unwrap(), net.tensor("fc1.bias").unwrap());
    let weight2 = net.tensor("fc2.weight").unwrap();
    let floats = [("fc1.weight", &weight), ("fc1.bias", &bias), ("fc2.weight", &weight2)];
    let mut tensors: Vec<_> =
        floats.map(|(name, values)| Tensor::floats(name, values.shape(), values.as_slice().unwrap())).into();
    tensors.push(Tensor::integers("fc2.bias", &[1, 2]));
    write(&path, &BTreeMap::new(), &tensors).unwrap();
    let text = mismatch(&Loader::new(), &Weights::open(&path).unwrap());
    assert!(text.ends_with("misshapen: `fc2.bias`: expected [2], found [2] of U64"), "{text}");

    // PyTorch's counts have no axis.
    let header = r#"{"bn1.num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[0,8]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 8]].concat();
    let loaded = Loader::new().allow_missing("").apply(&mut Tiny::new(0), &Weights::from_bytes(bytes).unwrap());
    assert_eq!(loaded.unwrap().kept, ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]);
}

#[test]
fn a_body_is_loaded_under_another_head() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    let body: Residual = distinct(0.0);
    Saver::new().naming(Naming::Torchvision).save(&body, &path).unwrap();
    let before = OtherHead::new(4);
    let mut net = before.clone();
    let error = net.load(&path).unwrap_err().to_string();
    assert!(error.contains("`fc.weight` (`fc1.weight`): expected [3, 17], found [5, 17]"), "{error}");
    // The head by the file's name for it, and by the network's.
    for head in ["fc", "fc1"] {
        let report = Loader::new().keep(head).load(&mut net, &path).unwrap();
        assert_eq!(report.kept, ["fc1.weight", "fc1.bias"]);
        assert_eq!(net.tensor("fc1.weight").unwrap(), before.tensor("fc1.weight").unwrap());
        assert_eq!(net.tensor("basic2.bn2.running_var").unwrap(), body.tensor("basic2.bn2.running_var").unwrap());
        net = before.clone();
    }
}

#[test]
fn rules_apply_one_after_the_other() {
    let file = tiny_file(|tensors| {
        for (name, _) in tensors.iter_mut() {
            *name = format!("module.{}", name.replace("fc", "linear").replace("weight", "kernel"));
        }
        tensors.push(("module.steps".to_owned(), vec![1]));
    });
    let loader =
        Loader::new().rename("module.", "").map(|name| name.replace("linear", "fc").replace("kernel", "weight"));
    assert!(mismatch(&loader, &file).ends_with("surplus: `steps` [1]"));
    let mut net = Tiny::new(3);
    let report = loader.allow_surplus("steps").apply(&mut net, &file).unwrap();
    assert_eq!((report.loaded.len(), report.surplus), (4, vec!["module.steps".to_owned()]));
    assert!(net.tensor("fc2.weight").unwrap().iter().all(|&value| value == 0.5));

    let error = Loader::new().map(|_| "same".into()).apply(&mut net, &file).unwrap_err().to_string();
    assert!(error.contains("the loader's rules make both `module.linear1.") && error.ends_with("`same`"), "{error}");
}

#[test]
fn missing_tensors_are_kept_where_that_is_allowed() {
    let file = tiny_file(|tensors| tensors.truncate(2));
    assert!(mismatch(&Loader::new().allow_missing("fc"), &file).contains("2 missing"));
    let mut net: Tiny = distinct(1.0);
    let report = Loader::new().allow_missing("fc2").apply(&mut net, &file).unwrap();
    assert_eq!((report.loaded, report.kept), (vec!["fc1.weight", "fc1.bias"], vec!["fc2.weight", "fc2.bias"]));
    assert_eq!(net.tensor("fc1.bias").unwrap(), ArrayD::from_elem(IxDyn(&[4]), 0.5));
    assert_eq!(net.tensor("fc2.bias").unwrap(), distinct::<Tiny>(1.0).tensor("fc2.bias").unwrap());
}

#[test]
fn weights_go_from_one_network_to_another() {
    let (body, mut net) = (distinct::<Residual>(0.0), OtherHead::new(1));
    let head = net.tensor("fc1.weight").unwrap();
    let report = Loader::new().keep("fc1").apply(&mut net, &Weights::of(&body)).unwrap();
    assert_eq!((report.naming, &report.kept[..]), (Naming::Own, &["fc1.weight", "fc1.bias"][..]));
    for name in ["conv1.weight", "bn1.running_var", "basic2.conv2.weight"] {
        assert_eq!(net.tensor(name).unwrap(), body.tensor(name).unwrap());
    }
    assert_eq!(net.tensor("fc1.weight").unwrap(), head);
}

#[test]
fn a_file_in_memory_is_the_file_that_is_saved() {
    let (net, saver) = (distinct::<Residual>(0.0), Saver::new().naming(Naming::Torchvision).metadata("of", "us"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    saver.save(&net, &path).unwrap();
    assert!(saver.to_bytes(&net).unwrap() == std::fs::read(&path).unwrap());
}

#[test]
fn a_file_says_what_pictures_are_normalised_by_and_what_classes_are_called() {
    let normalize = Normalize::new(&[0.25, 1.0 / 3.0], &[0.1, 2.5e-7]).unwrap();
    let names = ["dog", "hot dog", "two\nlines", ""].map(String::from);
    let saver = Saver::new().normalize(&normalize).class_names(&names);
    let read = |saver: &Saver| Weights::from_bytes(saver.to_bytes(&Tiny::new(1)).unwrap()).unwrap();
    let file = read(&saver);
    assert_eq!(file.normalize().unwrap(), Some(normalize));
    assert_eq!(file.class_names().unwrap(), names);
    let silent = Weights::of(&Tiny::new(1));
    assert_eq!((silent.normalize().unwrap(), silent.class_names().unwrap()), (None, vec![]));

    let broken = read(&Saver::new().metadata("mean", "0.5 0.5").metadata("std", "0.5 0").metadata("classes", "dog"));
    assert_eq!(
        broken.normalize().unwrap_err().to_string(),
        "in-memory data: expected `mean` and `std` to be as many finite means and deviations above 0, with blanks between \
         them, found `0.5 0.5` and `0.5 0`"
    );
    let error = broken.class_names().unwrap_err().to_string();
    assert_eq!(error, "in-memory data: expected `classes` to be a list of texts in JSON, found `dog`");
}

#[test]
fn embedded_numbers_are_read_where_they_are() {
    cnn! { Xor <1x1x2> weights = "../tests/runtime/xor.safetensors" embed -> fc(2) -> relu -> fc(1) }
    let embedded = Xor::INFO.weights.unwrap();
    let file = Weights::embedded::<Xor>().unwrap();
    for entry in file.tensors() {
        let Cow::Borrowed(values) = file.floats(entry).unwrap() else { panic!("{} was copied", entry.name()) };
        assert!(embedded.bytes.as_ptr_range().contains(&values.as_ptr().cast()));
    }
    let whole = Xor::pretrained().unwrap().tensor("fc2.weight").unwrap();
    assert_eq!(whole, ndarray::arr2(&[[1.0, -2.0]]).into_dyn());
    // What the macro checked is checked again: nothing relies on the macro's word.
    let cut = Embedded { bytes: &embedded.bytes[..200], ..embedded };
    let error = Weights::of_binary(cut).unwrap_err().to_string();
    assert!(error.starts_with("../tests/runtime/xor.safetensors: expected a safetensors file, found 200"), "{error}");
}

#[test]
fn renaming_takes_whole_parts() {
    let renamed = |from: &str, to: &str, name: &str| {
        let loader = Loader::new().rename(from, to);
        loader.rules[0](name)
    };
    for (from, to) in [("fc1", "head"), ("fc1.", "head."), ("fc1", "head.")] {
        assert_eq!(renamed(from, to, "fc1.weight"), "head.weight");
        assert_eq!(renamed(from, to, "fc10.weight"), "fc10.weight");
    }
    assert_eq!(renamed("module", "", "module.fc.bias"), "fc.bias");
    assert_eq!(renamed("", "model", "fc.bias"), "model.fc.bias");
    assert_eq!(renamed("w", "fc1.weight", "w"), "fc1.weight");
}

#[test]
fn prefixes_are_whole_parts() {
    assert!(["", "fc", "fc.", "fc.weight"].iter().all(|prefix| starts("fc.weight", prefix)));
    assert!(!["f", "fc.w", "fc2", "fc.weight.x"].iter().any(|prefix| starts("fc.weight", prefix)));
}
