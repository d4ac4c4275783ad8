//! Shows ONNX models as text in the language of `cnn!`, to be read, edited and committed.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cnn_model::onnx::{Imported, Model};
use cnn_model::{Dtype, safetensors};

#[derive(Parser)]
#[command(name = "cnn-model", version, about = "Turns model files into networks in the language of cnn!")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints the network of an ONNX model.
    Import {
        /// The model.
        model: PathBuf,
        /// Name of the network; the model's file name if it is not given.
        #[arg(long)]
        name: Option<String>,
        /// Writes the weights to this safetensors file, by the names that the network gives them; the printed network
        /// embeds it. Its declaration reads the path from the folder of the crate's `Cargo.toml`.
        #[arg(long)]
        weights: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let Command::Import { model, name, weights } = Arguments::parse().command;
    match import(&model, name, weights.as_deref()) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The declaration of a model, whose weights are written to a file if there is one to embed.
fn import(path: &Path, name: Option<String>, weights: Option<&Path>) -> Result<String, Box<dyn Error>> {
    let name = name.unwrap_or_else(|| type_name(&path.file_stem().unwrap_or_default().to_string_lossy()));
    if !is_type_name(&name) {
        return Err(format!("--name {name}: expected the name of a type, as in `ResNet18`").into());
    }
    let imported = Model::open(path).and_then(|model| model.import());
    let imported = imported.map_err(|error| format!("{}: {error}", path.display()))?;
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let mut text = imported.text.replace('\n', "\n    ");
    if let Some(weights) = weights {
        save(&imported, weights)?;
        let shape = text.find('>').expect("a network begins with the shape of its input") + 1;
        text.insert_str(shape, &format!(" weights = {:?} embed", weights.display().to_string()));
    }
    Ok(format!("cnn! {{\n    /// Imported from {file}.\n    pub {name} {text}\n}}"))
}

/// `ResNet18` of `res-net_18`: letters and digits, each word with a capital.
fn type_name(text: &str) -> String {
    let words = text.split(|ch: char| !ch.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name: String = words.map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    if is_type_name(&name) { name } else { format!("Net{name}") }
}

/// Whether a network can be called so. Only one keyword begins with a capital.
fn is_type_name(name: &str) -> bool {
    let is_word = name.chars().all(|ch| ch.is_ascii_alphanumeric() || ch == '_');
    is_word && name.starts_with(|ch: char| ch.is_ascii_uppercase()) && name != "Self"
}

/// Writes the weights one after the other, so that no more than one of them is in memory.
///
/// They go to a file of another name first: the model may keep some of its tensors in the file at `path`.
fn save(imported: &Imported, path: &Path) -> Result<(), Box<dyn Error>> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".part");
    let here = |error: io::Error| format!("{}: {error}", path.display());
    let write = || {
        let mut file = BufWriter::new(File::create(&unfinished).map_err(here)?);
        let tensors = imported.tensors.iter().map(|tensor| (tensor.name.as_str(), Dtype::F32, tensor.shape()));
        file.write_all(&safetensors::begin(&BTreeMap::new(), tensors).map_err(here)?).map_err(here)?;
        for tensor in &imported.tensors {
            for float in tensor.floats()? {
                file.write_all(&float.to_le_bytes()).map_err(here)?;
            }
        }
        file.flush().map_err(here)?;
        Ok(fs::rename(&unfinished, path).map_err(here)?)
    };
    let written = write();
    if written.is_err() {
        // What failed before is what gets reported.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

#[cfg(test)]
mod tests {
    use cnn_model::onnx::proto::*;
    use prost::Message as _;

    use super::*;

    #[test]
    fn file_names_become_names_of_types() {
        assert_eq!(type_name("resnet18"), "Resnet18");
        assert_eq!(type_name("squeezenet1_0-new"), "Squeezenet10New");
        assert_eq!(type_name("18"), "Net18");
        assert_eq!(type_name("netz über"), "NetzBer");
        assert_eq!(type_name("self"), "NetSelf");
    }

    #[test]
    fn names_and_files_that_are_wrong_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let [path, weights] = ["model.onnx", "weights"].map(|name| folder.path().join(name));
        fs::write(&path, model().encode_to_vec()).unwrap();
        fs::write(&weights, [0; 32]).unwrap();
        let message = |model: &Path, name: Option<&str>, weights: Option<&Path>| {
            import(model, name.map(String::from), weights).unwrap_err().to_string()
        };
        for name in ["res-net", "resnet", "Self", "", "1Net", "Netz\u{fc}"] {
            let expected = format!("--name {name}: expected the name of a type, as in `ResNet18`");
            assert_eq!(message(&path, Some(name), None), expected);
        }
        let missing = folder.path().join("no/such/file");
        let text = message(&path, Some("Net_2"), Some(&missing));
        assert!(text.starts_with(&format!("{}: ", missing.display())), "{text}");
        let text = message(&missing, None, None);
        assert!(text.starts_with(&format!("{}: ", missing.display())), "{text}");
    }

    #[test]
    fn the_declaration_embeds_the_weights() {
        let folder = tempfile::tempdir().unwrap();
        let [path, weights, new] = ["model.onnx", "weights", "new \"1\""].map(|name| folder.path().join(name));
        fs::write(&path, model().encode_to_vec()).unwrap();
        fs::write(&weights, [0; 32]).unwrap();
        let begin = "cnn! {\n    /// Imported from model.onnx.\n    pub Model <2x1x4>";
        let text = import(&path, None, None).unwrap();
        assert!(text.starts_with(&format!("{begin}\n        -> ")) && text.ends_with("\n}"), "{text}");
        let text = import(&path, None, Some(&new)).unwrap();
        let file = new.display().to_string().replace('"', "\\\"");
        assert!(text.starts_with(&format!("{begin} weights = \"{file}\" embed\n        -> ")), "{text}");
    }

    /// A model of a line of eight numbers, times some that stand in the file `weights` beside it.
    fn model() -> ModelProto {
        let dim = |size| DimensionProto { dim_value: Some(size), ..Default::default() };
        let shape = TensorShapeProto { dim: vec![dim(1), dim(2), dim(4)] };
        let tensor_type = Some(TensorTypeProto { elem_type: data_type::FLOAT, shape: Some(shape) });
        let value = |name: &str, r#type| ValueInfoProto { name: name.into(), r#type };
        let node = |op: &str, inputs: [&str; 2], output: &str| NodeProto {
            op_type: op.into(),
            input: inputs.map(String::from).into(),
            output: vec![output.into()],
            ..Default::default()
        };
        let tensor = |name: &str, dims: &[i64]| TensorProto {
            name: name.into(),
            dims: dims.into(),
            data_type: data_type::FLOAT,
            data_location: 1,
            external_data: vec![StringStringEntryProto { key: "location".into(), value: "weights".into() }],
            ..Default::default()
        };
        let graph = GraphProto {
            input: vec![value("x", Some(TypeProto { tensor_type }))],
            output: vec![value("y", None)],
            initializer: vec![tensor("b", &[2, 4]), tensor("c", &[4])],
            node: vec![node("Mul", ["x", "b"], "z"), node("Add", ["z", "c"], "y")],
            ..Default::default()
        };
        let opset_import = vec![OperatorSetIdProto { version: 17, ..Default::default() }];
        ModelProto { graph: Some(graph), opset_import, ..Default::default() }
    }

    #[test]
    fn weights_can_take_the_place_of_those_that_they_are_read_from() {
        let folder = tempfile::tempdir().unwrap();
        let weights = folder.path().join("weights");
        let numbers: Vec<u8> = (1..=8_u8).flat_map(|number| f32::from(number).to_le_bytes()).collect();
        fs::write(&weights, &numbers).unwrap();
        let imported = Model::read(model().encode_to_vec(), Some(folder.path())).unwrap().import().unwrap();
        save(&imported, &weights).unwrap();
        let bytes = fs::read(&weights).unwrap();
        let tensors = safetensors::read(&bytes[..], bytes.len()).unwrap().tensors;
        let [scale, shift] = &tensors[..] else { panic!("{tensors:?}") };
        assert_eq!((scale.name.as_str(), &scale.shape[..], scale.dtype), ("scale1.weight", &[2, 1, 4][..], Dtype::F32));
        assert_eq!((shift.name.as_str(), &shift.shape[..], shift.dtype), ("shift1.bias", &[1, 1, 4][..], Dtype::F32));
        assert_eq!((&bytes[scale.range.clone()], &bytes[shift.range.clone()]), (&numbers[..], &numbers[..16]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (weights, saved) = (folder.path().join("weights"), folder.path().join("saved"));
        fs::write(&weights, [0; 32]).unwrap();
        fs::write(&saved, "old").unwrap();
        let imported = Model::read(model().encode_to_vec(), Some(folder.path())).unwrap().import().unwrap();
        fs::remove_file(&weights).unwrap();
        assert!(save(&imported, &saved).is_err());
        assert_eq!(fs::read(&saved).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
