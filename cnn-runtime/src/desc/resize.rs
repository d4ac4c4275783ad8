//! Maps of any other size.

pub use cnn_model::resize::{Coordinates, Rounding};

use super::Map;

/// How `resize` makes a pixel of those around its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sampling {
    /// One of them.
    Nearest(Rounding),
    /// All of them, by their distances in both directions.
    Bilinear,
}

/// A map of another size, larger or smaller, as ONNX's `Resize`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resize {
    /// Shape of one input sample.
    pub input: Map,
    /// Shape of one output sample.
    pub output: Map,
    /// How pixels are made.
    pub sampling: Sampling,
    /// Of which.
    pub coordinates: Coordinates,
    /// Outputs by inputs, vertically and horizontally, where that is not what the sizes say.
    pub scale: [Option<f32>; 2],
}
