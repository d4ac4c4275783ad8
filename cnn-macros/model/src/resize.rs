//! How maps are resized, by the words of ONNX's `Resize`.

/// How the place of a resized pixel follows from its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// All of them.
    pub const ALL: [Coordinates; 4] =
        [Coordinates::HalfPixel, Coordinates::Asymmetric, Coordinates::AlignCorners, Coordinates::PytorchHalfPixel];

    /// What users and ONNX call it.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// All of them.
    pub const ALL: [Rounding; 4] = [Rounding::PreferFloor, Rounding::PreferCeil, Rounding::Floor, Rounding::Ceil];

    /// What users and ONNX call it.
    pub const fn word(self) -> &'static str {
        match self {
            Rounding::PreferFloor => "round_prefer_floor",
            Rounding::PreferCeil => "round_prefer_ceil",
            Rounding::Floor => "floor",
            Rounding::Ceil => "ceil",
        }
    }
}
