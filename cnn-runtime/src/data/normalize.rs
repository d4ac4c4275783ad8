//! Channels brought to mean 0 and standard deviation 1.

use super::{Dataset, Draw, sample_len};
use crate::error::Error;

/// A mean and a standard deviation per channel; maps a value `x` to `(x - mean) / std`.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalize {
    mean: Vec<f32>,
    std: Vec<f32>,
}

impl Normalize {
    /// Given means and standard deviations, one per channel, on the scale of the images: 0 to 1 for byte images.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] unless there are as many of both, means are finite, and deviations are above 0.
    pub fn new(mean: &[f32], std: &[f32]) -> Result<Self, Error> {
        let usable = |deviation: &f32| deviation.is_normal() && *deviation > 0.0;
        if mean.len() != std.len() || !mean.iter().all(|m| m.is_finite()) || !std.iter().all(usable) {
            return Err(Error::InvalidOption {
                option: "mean and std of a normalisation",
                expected: "as many of both, finite means, and deviations above 0",
                found: format!("{mean:?} and {std:?}"),
            });
        }
        Ok(Normalize { mean: mean.to_vec(), std: std.to_vec() })
    }

    /// The channels' means and standard deviations over all of `data`. A channel that never changes is only centred.
    ///
    /// # Errors
    /// [`Error::DataMismatch`] if there is no sample, or what the data set's `read` finds wrong.
    pub fn of(data: &impl Dataset) -> Result<Self, Error> {
        let [channels, h, w] = data.shape();
        let plane = h.saturating_mul(w);
        if data.is_empty() || plane == 0 {
            return Err(Error::DataMismatch {
                what: "data to compute a mean of",
                expected: "at least one pixel".into(),
                found: format!("{} samples of shape {:?}", data.len(), data.shape()),
            });
        }
        let mut image = vec![0.0; sample_len(data.shape()).unwrap_or(usize::MAX)];
        let mut sums = vec![(0.0f64, 0.0f64); channels];
        for index in 0..data.len() {
            data.read(Draw::of(index), &mut image)?;
            for ((sum, squares), values) in sums.iter_mut().zip(image.chunks_exact(plane)) {
                *sum += values.iter().map(|&v| f64::from(v)).sum::<f64>();
                *squares += values.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>();
            }
        }
        let count = data.len() as f64 * plane as f64;
        let std_of = |&(sum, squares): &(f64, f64)| match (squares / count - (sum / count).powi(2)).max(0.0).sqrt() {
            flat if flat < 1e-6 => 1.0,
            std => std as f32,
        };
        Ok(Normalize {
            mean: sums.iter().map(|(sum, _)| (sum / count) as f32).collect(),
            std: sums.iter().map(std_of).collect(),
        })
    }

    /// The means, per channel.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// The standard deviations, per channel.
    pub fn std(&self) -> &[f32] {
        &self.std
    }

    /// Normalises one image in CHW order, whose length is a multiple of the number of channels.
    pub fn apply(&self, image: &mut [f32]) {
        let plane = image.len() / self.mean.len().max(1);
        for ((values, mean), std) in image.chunks_exact_mut(plane.max(1)).zip(&self.mean).zip(&self.std) {
            let scale = 1.0 / std;
            values.iter_mut().for_each(|v| *v = (*v - mean) * scale);
        }
    }
}

/// A data set with every channel normalised. Made by [`Dataset::normalized`].
#[derive(Clone, Debug)]
pub struct Normalized<D> {
    data: D,
    normalize: Normalize,
}

impl<D: Dataset> Normalized<D> {
    pub(super) fn new(data: D, normalize: Normalize) -> Result<Self, Error> {
        if normalize.mean.len() != data.shape()[0] {
            return Err(Error::DataMismatch {
                what: "channels of the normalisation",
                expected: data.shape()[0].to_string(),
                found: normalize.mean.len().to_string(),
            });
        }
        Ok(Normalized { data, normalize })
    }

    /// What the channels are normalised by.
    pub fn normalize(&self) -> &Normalize {
        &self.normalize
    }
}

impl<D: Dataset> Dataset for Normalized<D> {
    fn len(&self) -> usize {
        self.data.len()
    }

    fn shape(&self) -> [usize; 3] {
        self.data.shape()
    }

    fn classes(&self) -> usize {
        self.data.classes()
    }

    fn class_names(&self) -> &[String] {
        self.data.class_names()
    }

    fn read(&self, draw: Draw, image: &mut [f32]) -> Result<usize, Error> {
        let label = self.data.read(draw, image)?;
        self.normalize.apply(image);
        Ok(label)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array4;

    use super::super::Arrays;
    use super::*;

    fn arrays() -> Arrays {
        let images = Array4::from_shape_fn((4, 2, 3, 5), |(n, c, h, w)| {
            if c == 0 { (n * 15 + h * 5 + w) as f32 } else { 1000.0 - ((n * 15 + h * 5 + w) % 7) as f32 }
        });
        Arrays::new(images, vec![0; 4], 1).unwrap()
    }

    #[test]
    fn computed_normalisation_gives_mean_0_and_deviation_1() {
        let data = arrays();
        let normalize = Normalize::of(&data).unwrap();
        assert!((normalize.mean()[0] - 29.5).abs() < 1e-4, "{normalize:?}");
        let again = Normalize::of(&data.normalized(normalize).unwrap()).unwrap();
        for channel in 0..2 {
            assert!(again.mean()[channel].abs() < 1e-4, "{again:?}");
            assert!((again.std()[channel] - 1.0).abs() < 1e-3, "{again:?}");
        }
    }

    #[test]
    fn a_constant_channel_is_centred_only() {
        let data = Arrays::new(Array4::from_elem((2, 1, 2, 2), 3.0), vec![0, 0], 1).unwrap();
        assert_eq!(Normalize::of(&data).unwrap(), Normalize::new(&[3.0], &[1.0]).unwrap());
    }

    #[test]
    fn refuses_what_it_cannot_use() {
        assert!(Normalize::new(&[0.0], &[0.0]).is_err());
        assert!(Normalize::new(&[0.0, 1.0], &[1.0]).is_err());
        assert!(Normalize::new(&[f32::NAN], &[1.0]).is_err());
        let error = arrays().normalized(Normalize::new(&[0.0], &[1.0]).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "channels of the normalisation: expected 2, found 1");
        assert!(Normalize::of(&arrays().take(0)).is_err());
    }
}
