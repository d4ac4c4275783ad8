//! What a tool is asked to do, and the files that `formats.py` wrote for it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use candle_core::Tensor;
use serde::Deserialize;
use serde_json::Value;

pub struct Case {
    pub name: String,
    pub task: String,
    pub batch: usize,
    pub threads: usize,
    folder: PathBuf,
}

/// A layer of `nets.py`, with its weights.
pub struct Layer {
    pub kind: String,
    options: Value,
    pub arrays: Vec<Array>,
    pub branches: Vec<Vec<Layer>>,
}

impl Layer {
    pub fn option(&self, index: usize) -> Result<usize> {
        let number = self.options[index].as_u64().with_context(|| format!("{}: no option {index}", self.kind))?;
        Ok(usize::try_from(number)?)
    }
}

/// An array of NumPy's, in C order.
pub struct Array {
    pub shape: Vec<usize>,
    pub data: Vec<f32>,
}

impl Case {
    pub fn new(name: &str, task: &str, batch: usize, threads: usize, folder: &str) -> Self {
        Self { name: name.into(), task: task.into(), batch, threads, folder: folder.into() }
    }

    /// The path of one of the network's files.
    pub fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}{ending}", self.name))
    }

    pub fn array(&self, ending: &str) -> Result<Array> {
        let path = self.file(ending);
        let tensor = Tensor::read_npy(&path).with_context(|| format!("{}", path.display()))?;
        Ok(Array { shape: tensor.dims().to_vec(), data: tensor.flatten_all()?.to_vec1()? })
    }

    pub fn images(&self) -> Result<Array> {
        self.array(&format!("-{}.images.npy", self.batch))
    }

    /// The network's layers.
    pub fn chain(&self) -> Result<Vec<Layer>> {
        let chain = serde_json::from_slice(&fs::read(self.file(".chain.json"))?)?;
        let weights = self.array(".weights.npy")?.data;
        let mut rest = &weights[..];
        let layers = read_chain(&chain, &mut rest)?;
        ensure!(rest.is_empty(), "{} weights too many", rest.len());
        Ok(layers)
    }

    /// The largest difference from PyTorch's scores for the first image, as a part of the largest score. Scores that are
    /// not finite are an error.
    pub fn error_of(&self, found: &[f32]) -> Result<f32> {
        let expected = self.array(".scores.npy")?.data;
        ensure!(found.len() == self.batch * expected.len(), "{} scores", found.len());
        ensure!(found.iter().all(|score| score.is_finite()), "scores that are not finite");
        let largest = expected.iter().fold(0.0, |most: f32, score| most.max(score.abs()));
        let differences = expected.iter().zip(found).map(|(one, other)| (one - other).abs());
        Ok(differences.fold(0.0, f32::max) / largest)
    }
}

/// Reads layers, which take their weights, and their branches', one after the other.
fn read_chain(chain: &Value, weights: &mut &[f32]) -> Result<Vec<Layer>> {
    let layers = chain.as_array().context("no list of layers")?;
    layers.iter().map(|layer| read_layer(layer, weights)).collect()
}

fn read_layer(layer: &Value, weights: &mut &[f32]) -> Result<Layer> {
    let shapes: Vec<Vec<usize>> = Vec::deserialize(&layer["shapes"])?;
    let mut arrays = Vec::new();
    for shape in shapes {
        let data = weights.split_off(..shape.iter().product()).context("too few weights")?.to_vec();
        arrays.push(Array { shape, data });
    }
    let branches = layer["branches"].as_array().context("no branches")?;
    Ok(Layer {
        kind: String::deserialize(&layer["kind"])?,
        options: layer["options"].clone(),
        arrays,
        branches: branches.iter().map(|branch| read_chain(branch, weights)).collect::<Result<_>>()?,
    })
}
