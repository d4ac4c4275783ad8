//! Networks beside files, as the macro finds them.

#[cfg(feature = "safetensors")]
mod safetensors;

use std::fs;

use tempfile::TempDir;

/// A folder with one file in it.
fn folder(name: &str, bytes: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    fs::write(folder.path().join(name), bytes).expect("a file can be written");
    folder
}

/// What is wrong, where each error stands and what it says.
fn report(source: &str, bytes: &[u8]) -> Vec<(String, String)> {
    let folder = folder("net.safetensors", bytes);
    let errors = crate::checked(folder.path(), source.parse().expect("the source lexes")).1.into_vec();
    let marked = |error: &crate::diag::Diagnostic| {
        let (from, to) = (error.site.start.start().column, error.site.end.end().column);
        (source[from..to].to_owned(), error.text())
    };
    errors.iter().map(marked).collect()
}

#[test]
fn a_file_of_a_network_that_may_be_left_out_is_an_error_only_beside_it() {
    let expansion = |condition: &str| {
        let source = format!(
            "{condition} A <1x8x8> weights = \"none.safetensors\" -> fc(1); {condition} B = onnx \"none.onnx\"; \
                C <1x8x8> -> relu"
        );
        crate::expand_in("".as_ref(), source.parse().expect("the source lexes")).to_string().replace(' ', "")
    };
    let error = "::core::compile_error!{";
    for condition in ["#[cfg(any())]", "#[cfg_attr(all(),cfg(any()))]"] {
        let conditional = expansion(condition);
        assert_eq!(conditional.matches(error).count(), 2, "{conditional}");
        assert_eq!(conditional.matches(&format!("{condition}{error}")).count(), 2, "{conditional}");
    }
    assert!(expansion("#[derive(Clone)]").starts_with(error));
}

#[cfg(feature = "onnx")]
#[test]
fn a_model_fits_whatever_stands_beside_it() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/onnx");
    let source = "A = onnx \"traced.onnx\" embed; B <4x8x8> -> conv1 = conv(4, 1x1) -> add(id, conv1)";
    let errors = crate::checked(folder.as_ref(), source.parse().expect("the source lexes")).1.into_vec();
    assert!(errors.is_empty(), "{errors:?}");
}

#[cfg(not(feature = "safetensors"))]
#[test]
fn the_feature_that_is_off_is_named() {
    let errors = report("Net <1x4x4> weights = \"net.safetensors\" -> fc(3)", b"");
    let text = "`net.safetensors`: safetensors files are read with cnn-runtime's feature `safetensors`, which is off";
    assert_eq!(errors, [("\"net.safetensors\"".to_owned(), text.to_owned())]);
}
