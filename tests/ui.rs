//! What a mistake looks like: one small file each, with the compiler's whole answer beside it.
//! `TRYBUILD=overwrite cargo test --test ui` writes the answers anew; read them before you commit them.
//!
//! Each answer is the macro's alone, also where the file goes on to use the network with the mistake. Only what `use`
//! shows of sound networks that are used wrongly is in rustc's words, and may change with rustc.
//!
//! The programs in `pass` are modules of this test: only a run of `cargo check` is left to trybuild, which does that
//! for all files at once.

use std::collections::BTreeMap;
use std::path::Path;

use cnn_runtime::weights::{self, Tensor};

const TOPICS: [&str; 8] = ["syntax", "names", "attributes", "shapes", "graph", "use", "weights", "onnx"];

#[test]
fn mistakes_teach() {
    write_weights();
    let cases = trybuild::TestCases::new();
    for topic in TOPICS {
        cases.compile_fail(format!("tests/ui/{topic}/*.rs"));
    }
}

/// The files that the programs in `weights` and `onnx` name. Cargo's folder for the files of tests is `../../../tmp` from where
/// trybuild compiles them.
fn write_weights() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let zeros = [0.0; 24];
    let shapes: [(&str, &[usize]); 4] =
        [("conv1.weight", &[2, 1, 3, 3]), ("conv1.bias", &[2]), ("fc1.weight", &[3, 8]), ("fc1.bias", &[3])];
    let tensors = shapes.map(|(name, shape)| Tensor::floats(name, shape, &zeros[..shape.iter().product()]));
    weights::write(folder.join("ui.safetensors"), &BTreeMap::new(), &tensors).expect("the file can be written");
    std::fs::write(folder.join("ui.txt"), "No weights at all.").expect("the file can be written");
    for model in ["einsum.onnx", "traced.onnx"] {
        std::fs::copy(Path::new("tests/onnx").join(model), folder.join(model)).expect("the file can be copied");
    }
}

/// Makes a module and a test of each program in `pass`, and a test that none was forgotten.
macro_rules! programs {
    ($($name:ident),* $(,)?) => {
        #[path = "ui/pass"]
        mod pass {
            $(pub(crate) mod $name;)*
        }

        $(#[test]
        fn $name() {
            pass::$name::main();
        })*

        #[test]
        fn every_program_runs() {
            assert_eq!(sources("pass"), [$(stringify!($name)),*]);
        }
    };
}

#[test]
fn files_are_short_and_many() {
    let mut cases = 0;
    for topic in TOPICS {
        for name in sources(topic) {
            let text = std::fs::read_to_string(folder(topic).join(format!("{name}.rs"))).expect("the file is readable");
            assert!(text.lines().count() < 15, "{topic}/{name}.rs is too long to be one mistake");
            assert!(folder(topic).join(format!("{name}.stderr")).exists(), "{topic}/{name}.rs has no answer");
            cases += 1;
        }
    }
    assert!(cases > 100, "{cases} cases, and the README speaks of over a hundred");
}

fn folder(topic: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui").join(topic)
}

/// The names of a folder's programs, sorted.
fn sources(topic: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder(topic)).expect("the folder is readable");
    let paths = entries.map(|entry| entry.expect("the entry is readable").path());
    let rust = paths.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let mut names: Vec<String> = rust.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    names
}

programs! {
    annotations, blocks, every_layer, expressions, files_under_a_condition, hygiene, inside_functions, items, named_values,
    networks_as_steps, repeats, strict_lints, through_macro_rules,
}
