use std::collections::BTreeMap;

use cnn_model::{Dtype, safetensors};

use super::{folder, report};
use crate::diag::SHOWN;
use crate::testing::compared;

type Tensor = (&'static str, Dtype, &'static [usize]);

const NET: &str = "Net <1x4x4> weights = \"net.safetensors\" -> conv(2, 3x3) -> relu -> fc(3)";

/// The tensors of `NET`.
const OWN: [Tensor; 4] = [
    ("conv1.weight", Dtype::F32, &[2, 1, 3, 3]),
    ("conv1.bias", Dtype::F32, &[2]),
    ("fc1.weight", Dtype::F32, &[3, 8]),
    ("fc1.bias", Dtype::F32, &[3]),
];

/// A file of these tensors, all zero.
fn file(tensors: &[Tensor]) -> Vec<u8> {
    let mut bytes = safetensors::begin(&BTreeMap::new(), tensors.iter().copied()).expect("names differ");
    let zeros: usize = tensors.iter().map(|(_, dtype, shape)| dtype.size(shape).expect("small")).sum();
    bytes.resize(bytes.len() + zeros, 0);
    bytes
}

#[test]
fn a_file_that_fits_says_nothing() {
    assert_eq!(report(NET, &file(&OWN)), []);
    let theirs = |names: [&'static str; 4]| {
        let mut tensors = OWN;
        tensors.iter_mut().zip(names).for_each(|(tensor, name)| tensor.0 = name);
        file(&tensors)
    };
    let torchvision = theirs(["features.0.weight", "features.0.bias", "classifier.0.weight", "classifier.0.bias"]);
    assert_eq!(report(NET, &torchvision), []);
    assert_eq!(report(NET, &theirs(["0.weight", "0.bias", "3.weight", "3.bias"])), []);
    let halves = OWN.map(|(name, _, shape)| (name, Dtype::F16, shape));
    assert_eq!(report(NET, &file(&halves)), []);
    let mut counted = OWN.to_vec();
    counted.push(("bn1.num_batches_tracked", Dtype::I64, &[]));
    assert_eq!(report(NET, &file(&counted)), []);
}

#[test]
fn what_is_misshapen_or_missing_is_an_error_at_its_layer() {
    let mut tensors = OWN;
    tensors[0].2 = &[3, 1, 3, 3];
    tensors[1].2 = &[3];
    tensors[3] = ("fc1.bais", Dtype::F32, &[3]);
    let expected = [
        (
            "conv",
            "`conv1`: `net.safetensors` does not fit: `conv1.weight`: expected [2, 1, 3, 3], found [3, 1, 3, 3]\n  \
             and `conv1.bias`: expected [2], found [3]",
        ),
        ("fc", "`fc1`: `net.safetensors` does not fit: `fc1.bias` [3] is missing; is it `fc1.bais`?"),
    ];
    assert_eq!(report(NET, &file(&tensors)), expected.map(|(at, text)| (at.to_owned(), text.to_owned())));
}

#[test]
fn names_of_the_file_stand_beside_the_networks() {
    let tensors: [Tensor; 2] =
        [("features.0.weight", Dtype::F32, &[2, 1, 5, 5]), ("features.0.bias", Dtype::I64, &[2])];
    let text = "`conv1`: `net.safetensors` does not fit: `features.0.weight` (`conv1.weight`): \
                expected [2, 1, 3, 3], found [2, 1, 5, 5]\n  \
                and `features.0.bias` (`conv1.bias`): expected [2] of floats, found [2] of I64\n  \
                names as of torchvision";
    let errors = report(NET, &file(&tensors));
    assert_eq!(errors[0], ("conv".to_owned(), text.to_owned()));
    assert!(errors[1].1.contains("`classifier.0.weight` (`fc1.weight`) [3, 8] is missing"), "{errors:?}");
    assert_eq!(errors.len(), 2);
}

#[test]
fn what_is_surplus_is_an_error_at_the_files_name() {
    let mut tensors = OWN.to_vec();
    tensors.push(("conv2.weight", Dtype::F32, &[2, 2, 3, 3]));
    let text = "`net.safetensors` has a tensor that `Net` does not have\n  `conv2.weight` [2, 2, 3, 3]";
    assert_eq!(report(NET, &file(&tensors)), [("\"net.safetensors\"".to_owned(), text.to_owned())]);
    let names: Vec<String> = (0..20).map(|number| format!("more.{number:02}")).collect();
    tensors.extend(names.iter().map(|name| (&*name.clone().leak(), Dtype::U8, &[1][..])));
    let errors = report(NET, &file(&tensors));
    assert_eq!((errors.len(), errors[0].1.lines().count()), (1, 10));
    assert!(errors[0].1.ends_with("\n  and 13 more"), "{errors:?}");
}

#[test]
fn another_networks_file_is_one_error() {
    let tensors: [Tensor; 2] = [("encoder.weight", Dtype::F32, &[5]), ("decoder.weight", Dtype::F32, &[5])];
    let text = "`net.safetensors` has no tensor of `Net`: expected `conv1.weight`, `conv1.bias` and so on, or PyTorch's \
                names of them\n  the file has\n  `encoder.weight` [5]\n  `decoder.weight` [5]";
    assert_eq!(report(NET, &file(&tensors)), [("\"net.safetensors\"".to_owned(), text.to_owned())]);
    assert!(report(NET, &file(&[]))[0].1.ends_with("the file has no tensors"));
}

#[test]
fn mistakes_of_the_declaration_and_of_the_file_come_out_together() {
    let source = "Net <1x4x4> weights = \"none.safetensors\" embed -> covn(2, 3x3) -> fc(3)";
    let errors = report(source, &[]);
    let missing = "`none.safetensors`: there is no such file; the path is relative to the folder of `Cargo.toml`";
    assert_eq!(errors[0], ("\"none.safetensors\"".to_owned(), missing.to_owned()));
    assert_eq!((errors[1].0.as_str(), errors.len()), ("covn", 2));
    // Of a network that is not understood, what would fit is not known.
    let source = NET.replace("conv(", "covn(");
    assert_eq!(report(&source, &file(&OWN)).len(), 1);
}

#[test]
fn hostile_files_are_refused_at_their_name() {
    let huge = [&u64::MAX.to_le_bytes()[..], b"{}"].concat();
    let claims = r#"{"x": {"dtype": "F32", "shape": [1000000000000], "data_offsets": [0, 4000000000000]}}"#;
    let claims = [&(claims.len() as u64).to_le_bytes()[..], claims.as_bytes()].concat();
    let deep = [&100_000u64.to_le_bytes()[..], &[b'['; 100_000]].concat();
    let cut = &file(&OWN)[..400];
    for (bytes, expected) in [
        (&b""[..], "expected a safetensors file, found 0 bytes"),
        (b"PK\x03\x04....", "found a zip archive: npz files are read at run time only"),
        (b"PK\x03\x04..net/data.pkl..", "found a checkpoint of PyTorch: in Python, `safetensors.torch.save_file("),
        (&[8, 9, 18, 7, b'p', b'y', b't', b'o', b'r'], "found what looks like an ONNX model, which declares a network"),
        (&huge, "18446744073709551615 claimed for a header"),
        (&claims, "expected `x` at bytes 0.. of 0"),
        (&deep, "whose header is a JSON object"),
        (cut, "found it at"),
    ] {
        let errors = report(NET, bytes);
        assert_eq!((errors.len(), &errors[0].0[..]), (1, "\"net.safetensors\""), "{errors:?}");
        assert!(errors[0].1.starts_with("`net.safetensors`: ") && errors[0].1.contains(expected), "{errors:?}");
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let source = NET.replace("net.safetensors", ".").parse().expect("the source lexes");
    let errors = crate::checked(folder.path(), source).1.into_vec();
    assert_eq!(errors[0].message, "`.`: the file cannot be read: expected a regular file");
}

#[test]
fn suggestions_are_bounded() {
    let name = |kind: &str, number: usize| -> &'static str { format!("{kind}{number:04}.weight").leak() };
    let mut tensors: Vec<Tensor> = vec![("fc1.bias", Dtype::U8, &[1])];
    tensors.extend((0..2000).map(|number| (name("fx", number), Dtype::U8, &[1, 1][..])));
    let source = "Net <1x1x1> weights = \"net.safetensors\" -> fc(1) * 2000";
    let before = compared();
    assert_eq!(report(source, &file(&tensors)).len(), SHOWN);
    let compared = compared() - before;
    assert!((1..=4 * SHOWN * tensors.len()).contains(&compared), "{compared} names");
}

#[test]
fn the_expansion_depends_on_the_file() {
    let folder = folder("net.safetensors", &file(&OWN));
    let expansion = |source: &str| {
        crate::expand_in(folder.path(), source.parse().expect("the source lexes")).to_string().replace(' ', "")
    };
    let included =
        "::core::include_bytes!(::core::concat!(::core::env!(\"CARGO_MANIFEST_DIR\"),\"/\",\"net.safetensors\"))";
    let checked = expansion(NET);
    assert!(checked.contains(&format!("const_:&[u8]={included};")) && checked.contains("weights:None"), "{checked}");
    let embedded = expansion(&NET.replace("-> conv", "embed -> conv"));
    assert!(embedded.contains(&format!("rt::Aligned(*{included})")), "{embedded}");
    assert!(embedded.contains("weights:Some(rt::Embedded::new(\"net.safetensors\",WEIGHTS))"), "{embedded}");
    // A second error of rustc's would follow from including a file that is not there.
    let missing = expansion(&NET.replace("net.safetensors", "none.safetensors"));
    assert!(missing.contains("compile_error!") && !missing.contains("include_bytes"), "{missing}");
    let expression = expansion("<1x4x4> weights = \"net.safetensors\" conv(2, 3x3) -> relu -> fc(3)");
    assert!(expression.contains(included) && !expression.contains("compile_error"), "{expression}");
    assert!(expression.ends_with("<Netas::cnn_runtime::Network>::new(0)}"), "{expression}");
}

#[test]
fn an_expression_has_the_weights_that_it_embeds() {
    let folder = folder("net.safetensors", &file(&OWN));
    let source = NET.replace("Net <", "<").replace("-> conv", "embed -> conv");
    let expansion = crate::expand_in(folder.path(), source.parse().expect("the source lexes")).to_string();
    assert!(!expansion.contains("compile_error"), "{expansion}");
    assert!(expansion.replace(' ', "").contains("expect(<Netas::cnn_runtime::Network>::pretrained(),"), "{expansion}");
}
