//! Maps of any other size.

use super::Map;

/// How the place of a resized pixel follows from its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coordinates {
    /// Centres of pixels stand at halves: `(o + 0.5) / scale - 0.5`.
    HalfPixel,
    /// `o / scale`.
    Asymmetric,
    /// The outer pixels' centres stay where they are: `o * (inputs - 1) / (outputs - 1)`.
    AlignCorners,
    /// As [`HalfPixel`](Coordinates::HalfPixel), but the first pixel where there is one output.
    PytorchHalfPixel,
}

impl Coordinates {
    /// What ONNX calls it.
    pub const fn word(self) -> &'static str {
        match self {
            Coordinates::HalfPixel => "half_pixel",
            Coordinates::Asymmetric => "asymmetric",
            Coordinates::AlignCorners => "align_corners",
            Coordinates::PytorchHalfPixel => "pytorch_half_pixel",
        }
    }
}

/// Which pixel is the nearest to a place between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// The nearer one, of two equally near ones the first.
    PreferFloor,
    /// The nearer one, of two equally near ones the second.
    PreferCeil,
    /// The first.
    Floor,
    /// The second.
    Ceil,
}

impl Rounding {
    /// What ONNX calls it.
    pub const fn word(self) -> &'static str {
        match self {
            Rounding::PreferFloor => "round_prefer_floor",
            Rounding::PreferCeil => "round_prefer_ceil",
            Rounding::Floor => "floor",
            Rounding::Ceil => "ceil",
        }
    }
}

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
