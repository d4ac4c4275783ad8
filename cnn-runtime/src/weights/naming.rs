//! What names in files follow from, of a network at run time.

use std::borrow::Cow;
use std::collections::HashMap;

use cnn_model::naming::{Declaration, Layer, Tensor, Unnamed};

use crate::error::Error;
use crate::info::{LayerInfo, NetInfo, TensorInfo};

impl<'a> From<&'a NetInfo> for Declaration<'a> {
    fn from(info: &'a NetInfo) -> Self {
        let numbers: HashMap<_, _> =
            info.layers.iter().enumerate().map(|(number, layer)| (layer.name, number)).collect();
        let layer = |layer: &'a LayerInfo| Layer {
            name: layer.name,
            text: layer.text,
            inputs: Cow::Borrowed(layer.inputs),
            output: Cow::Borrowed(layer.output),
        };
        let tensor = |tensor: &'a TensorInfo| {
            let (layer, part) = tensor.name.rsplit_once('.').expect("a tensor's name begins with its layer's");
            Tensor { layer: numbers[layer], part }
        };
        Declaration {
            name: info.name,
            layers: info.layers.iter().map(layer).collect(),
            tensors: info.tensors.iter().map(tensor).collect(),
        }
    }
}

impl From<Unnamed> for Error {
    fn from(Unnamed { expected, found }: Unnamed) -> Self {
        Error::DataMismatch { what: "layers to be named", expected, found }
    }
}

#[cfg(test)]
mod tests;
