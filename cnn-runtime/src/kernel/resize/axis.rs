//! Where along an axis each output is sampled.

use crate::desc::{Coordinates, Rounding, Sampling};

/// One axis of a resized map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    /// Inputs.
    pub inputs: usize,
    /// Outputs.
    pub outputs: usize,
    /// Outputs by inputs, where that is not what the sizes say.
    pub scale: Option<f32>,
    /// How outputs are placed among the inputs.
    pub coordinates: Coordinates,
    /// How an output is made of the inputs around its place.
    pub sampling: Sampling,
}

/// The inputs that an output lies between, and its share of the way from the first to the second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tap {
    pub first: usize,
    pub second: usize,
    pub share: f32,
}

impl Axis {
    /// What an output is made of. Beyond the edge its input repeats.
    #[inline(always)]
    pub(super) fn tap(&self, output: usize) -> Tap {
        let last = (self.inputs - 1) as f64;
        let position = self.position(output);
        match self.sampling {
            Sampling::Nearest(rounding) => {
                let place = round(rounding, position).clamp(0.0, last) as usize;
                Tap { first: place, second: place, share: 0.0 }
            }
            Sampling::Bilinear => {
                let position = position.clamp(0.0, last);
                let first = position as usize;
                let second = (first + 1).min(self.inputs - 1);
                Tap { first, second, share: (position - first as f64) as f32 }
            }
        }
    }

    /// The place of an output among the inputs.
    #[inline(always)]
    fn position(&self, output: usize) -> f64 {
        match self.scale {
            Some(scale) => f64::from(self.scaled(output as f32, scale)),
            None => self.exact(output),
        }
    }

    /// By the sizes alone: whole numbers but for one division, so that places on an input or halfway between two are
    /// exactly there.
    #[inline(always)]
    fn exact(&self, output: usize) -> f64 {
        let (inputs, outputs, o) = (self.inputs as f64, self.outputs as f64, output as f64);
        match self.coordinates {
            Coordinates::AlignCorners | Coordinates::PytorchHalfPixel if self.outputs == 1 => 0.0,
            Coordinates::AlignCorners => o * (inputs - 1.0) / (outputs - 1.0),
            Coordinates::Asymmetric => o * inputs / outputs,
            Coordinates::HalfPixel | Coordinates::PytorchHalfPixel => {
                ((2.0 * o + 1.0) * inputs - outputs) / (2.0 * outputs)
            }
        }
    }

    /// By a scale, in single precision and in ONNX's order, as its other implementations compute it.
    #[inline(always)]
    fn scaled(&self, o: f32, scale: f32) -> f32 {
        let inputs = self.inputs as f32;
        let outputs = scale * inputs;
        match self.coordinates {
            Coordinates::AlignCorners | Coordinates::PytorchHalfPixel if outputs == 1.0 => 0.0,
            Coordinates::AlignCorners => o * (inputs - 1.0) / (outputs - 1.0),
            Coordinates::Asymmetric => o / scale,
            Coordinates::HalfPixel | Coordinates::PytorchHalfPixel => (o + 0.5) / scale - 0.5,
        }
    }
}

#[inline(always)]
fn round(rounding: Rounding, position: f64) -> f64 {
    match rounding {
        Rounding::PreferFloor => (position - 0.5).ceil(),
        Rounding::PreferCeil => (position + 0.5).floor(),
        Rounding::Floor => position.floor(),
        Rounding::Ceil => position.ceil(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEAREST: Sampling = Sampling::Nearest(Rounding::PreferFloor);

    fn taps(axis: Axis) -> Vec<Tap> {
        (0..axis.outputs).map(|output| axis.tap(output)).collect()
    }

    fn firsts(axis: Axis) -> Vec<usize> {
        taps(axis).iter().map(|tap| tap.first).collect()
    }

    #[test]
    fn a_place_halfway_goes_where_the_rounding_says() {
        let axis = |rounding| Axis {
            inputs: 4,
            outputs: 2,
            scale: None,
            coordinates: Coordinates::HalfPixel,
            sampling: Sampling::Nearest(rounding),
        };
        assert_eq!(firsts(axis(Rounding::PreferFloor)), [0, 2]);
        assert_eq!(firsts(axis(Rounding::PreferCeil)), [1, 3]);
        assert_eq!(firsts(axis(Rounding::Floor)), [0, 2]);
        assert_eq!(firsts(axis(Rounding::Ceil)), [1, 3]);
    }

    #[test]
    fn places_of_whole_ratios_are_exact() {
        for (inputs, outputs) in [(3, 7), (49, 7), (10, 3), (1000, 999)] {
            let coordinates = Coordinates::Asymmetric;
            let sampling = Sampling::Nearest(Rounding::Floor);
            let axis = Axis { inputs, outputs, scale: None, coordinates, sampling };
            assert_eq!(firsts(axis), (0..outputs).map(|o| o * inputs / outputs).collect::<Vec<_>>());
        }
    }

    #[test]
    fn corners_are_aligned() {
        let coordinates = Coordinates::AlignCorners;
        let axis = Axis { inputs: 3, outputs: 5, scale: None, coordinates, sampling: Sampling::Bilinear };
        let tap = |first, second, share| Tap { first, second, share };
        assert_eq!(taps(axis), [tap(0, 1, 0.0), tap(0, 1, 0.5), tap(1, 2, 0.0), tap(1, 2, 0.5), tap(2, 2, 0.0)]);
        assert_eq!(taps(Axis { outputs: 1, ..axis }), [tap(0, 1, 0.0)]);
    }

    #[test]
    fn a_scale_takes_the_place_of_the_ratio() {
        let coordinates = Coordinates::HalfPixel;
        let axis = Axis { inputs: 4, outputs: 2, scale: Some(0.6), coordinates, sampling: NEAREST };
        assert_eq!(firsts(axis), [0, 2]);
        let tap = Axis { sampling: Sampling::Bilinear, ..axis }.tap(0);
        assert_eq!((tap.first, tap.second), (0, 1));
        assert!((tap.share - 1.0 / 3.0).abs() < 1e-6);
    }
}
