//! What inference makes of parameters once, and keeps: weights of small convolutions, transformed.

use std::ops::Range;

use crate::buffer::Buffer;
use crate::desc::LayerOp;
use crate::info::{NetInfo, TensorInfo};
use crate::kernel::conv::winograd::{self, Tile, Transformed};
use crate::params;

/// Transformed weights by layer. They are several times as long as the weights, so they are kept only where they are small.
pub(crate) struct Kept {
    /// One weight after the other.
    values: Buffer,
    /// For each layer that has some, the tile that they are for, and where they stand.
    layers: Vec<Option<(Tile, Range<usize>)>>,
}

impl Kept {
    /// Those of a network with these parameters.
    pub(crate) fn new(info: &NetInfo, parameters: &[f32]) -> Self {
        let mut end = 0;
        let convs = info.layers.iter().map(|layer| match layer.op {
            LayerOp::Conv(d) => winograd::kept(&d).map(|tile| (layer.name, d, tile)),
            _ => None,
        });
        let convs: Vec<_> = convs.collect();
        let layers = convs.iter().map(|conv| {
            let &(_, d, tile) = conv.as_ref()?;
            let start = end;
            end += winograd::transformed_len(&d, tile);
            Some((tile, start..end))
        });
        let layers: Vec<_> = layers.collect();
        let mut values = Buffer::zeroed(end);
        for ((name, d, tile), (_, range)) in convs.iter().flatten().zip(layers.iter().flatten()) {
            let is_weight = |tensor: &&TensorInfo| tensor.name.strip_prefix(name) == Some(".weight");
            let tensor = info.tensors.iter().find(is_weight).expect("a convolution has weights");
            winograd::transform(d, *tile, &parameters[params::range(tensor)], &mut values[range.clone()]);
        }
        Kept { values, layers }
    }

    /// Those of a layer, by its place in the network.
    pub(crate) fn of(&self, layer: usize) -> Option<Transformed<'_>> {
        let (tile, range) = self.layers.get(layer)?.clone()?;
        Some(Transformed { tile, u: &self.values[range] })
    }

    /// Bytes of all.
    pub(crate) fn bytes(&self) -> usize {
        self.values.bytes()
    }
}
