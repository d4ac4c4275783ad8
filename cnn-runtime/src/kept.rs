//! What inference makes of parameters once, and keeps: weights of small convolutions, transformed.

use std::ops::Range;

use crate::buffer::Buffer;
use crate::desc::LayerOp;
use crate::info::{NetInfo, TensorInfo};
use crate::kernel::conv::winograd::{self, Tile, Transformed};
use crate::params;
use crate::pool;

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
        let layers = info.layers.iter().map(|layer| {
            let LayerOp::Conv(d) = layer.op else { return None };
            let (tile, start) = (winograd::kept(&d)?, end);
            end += winograd::transformed_len(&d, tile);
            Some((tile, start..end))
        });
        let layers: Vec<_> = layers.collect();
        let mut values = Buffer::zeroed(end);
        // Others wait for these weights: were the work shared, this thread might take up a task that waits, too.
        pool::alone(|| {
            for (layer, kept) in info.layers.iter().zip(&layers) {
                let (LayerOp::Conv(d), Some((tile, range))) = (layer.op, kept) else { continue };
                let is_weight = |tensor: &&TensorInfo| tensor.name.strip_prefix(layer.name) == Some(".weight");
                let tensor = info.tensors.iter().find(is_weight).expect("a convolution has weights");
                winograd::transform(&d, *tile, &parameters[params::range(tensor)], &mut values[range.clone()]);
            }
        });
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
