//! Shows ONNX models as text in the language of `cnn!`, to be read, edited and committed.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cnn_model::onnx::{Imported, Model};
use safetensors::tensor::{Dtype, TensorView};

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
        /// Writes the weights to this safetensors file, by the names that the network gives them.
        #[arg(long)]
        weights: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let Command::Import { model, name, weights } = Arguments::parse().command;
    match import(&model, name, weights.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", model.display());
            ExitCode::FAILURE
        }
    }
}

fn import(path: &Path, name: Option<String>, weights: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let imported = Model::open(path)?.import()?;
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.unwrap_or_else(|| type_name(&path.file_stem().unwrap_or_default().to_string_lossy()));
    if let Some(weights) = weights {
        save(&imported, weights)?;
    }
    println!("cnn! {{\n    /// Imported from {file}.");
    println!("    pub {name} {}", imported.text.replace('\n', "\n    "));
    println!("}}");
    Ok(())
}

/// `ResNet18` of `res-net_18`: letters and digits, each word with a capital.
fn type_name(text: &str) -> String {
    let words = text.split(|ch: char| !ch.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name: String = words.map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    if name.starts_with(|ch: char| ch.is_ascii_alphabetic()) { name } else { format!("Net{name}") }
}

fn save(imported: &Imported, path: &Path) -> Result<(), Box<dyn Error>> {
    let mut bytes = BTreeMap::new();
    for tensor in &imported.tensors {
        let floats = tensor.floats()?;
        bytes.insert(
            tensor.name.as_str(),
            (tensor.shape(), floats.iter().flat_map(|float| float.to_le_bytes()).collect::<Vec<u8>>()),
        );
    }
    let views =
        bytes.iter().map(|(name, (shape, bytes))| Ok((*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes)?)));
    let views = views.collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    Ok(safetensors::serialize_to_file(views, None, path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_become_names_of_types() {
        assert_eq!(type_name("resnet18"), "Resnet18");
        assert_eq!(type_name("squeezenet1_0-new"), "Squeezenet10New");
        assert_eq!(type_name("18"), "Net18");
        assert_eq!(type_name("netz über"), "NetzBer");
    }
}
