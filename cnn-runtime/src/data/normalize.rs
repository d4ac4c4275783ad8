//! Channels brought to mean 0 and standard deviation 1.

use std::path::Path;

use ndarray::{ArrayViewMut3, Axis};

use super::statistics::Moments;
use super::{Dataset, Draw};
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

    /// The channels' means and standard deviations over all of `data`, in one pass on all threads; the same on any number
    /// of them. A channel that never changes is only centred.
    ///
    /// # Errors
    /// [`Error::DataMismatch`] if there is no sample or a value that is not finite, or what the data set's `read` finds wrong.
    pub fn of(data: &(impl Dataset + ?Sized)) -> Result<Self, Error> {
        let variances: Vec<_> = (0..data.shape()[0]).map(|channel| (channel, channel)).collect();
        let moments = Moments::of(data, &variances)?;
        let deviation = |(variance, mean): (f64, &f64)| match variance.sqrt() {
            // Less than single precision can tell from none.
            flat if flat <= f64::from(f32::EPSILON) * mean.abs() || flat < f64::from(f32::MIN_POSITIVE) => 1.0,
            deviation => deviation as f32,
        };
        let normalize = Normalize {
            mean: moments.means().iter().map(|&mean| mean as f32).collect(),
            std: moments.covariances().zip(moments.means()).map(deviation).collect(),
        };
        let is_bad = |(mean, std): (&f32, &f32)| !(mean.is_finite() && std.is_finite());
        if let Some(channel) = normalize.mean.iter().zip(&normalize.std).position(is_bad) {
            return Err(Error::DataMismatch {
                what: "mean and deviation of a channel",
                expected: "finite numbers".into(),
                found: format!("{} and {} in channel {channel}", normalize.mean[channel], normalize.std[channel]),
            });
        }
        Ok(normalize)
    }

    /// The means, per channel.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// The standard deviations, per channel.
    pub fn std(&self) -> &[f32] {
        &self.std
    }

    /// Normalises one image: channels, height and width.
    ///
    /// # Errors
    /// [`Error::DataMismatch`] if it has another number of channels.
    pub fn apply(&self, mut image: ArrayViewMut3<'_, f32>) -> Result<(), Error> {
        self.check(image.len_of(Axis(0)))?;
        for ((mut values, mean), std) in image.outer_iter_mut().zip(&self.mean).zip(&self.std) {
            let scale = 1.0 / std;
            values.mapv_inplace(|v| (v - mean) * scale);
        }
        Ok(())
    }

    /// Refuses images of another number of channels.
    fn check(&self, channels: usize) -> Result<(), Error> {
        if self.mean.len() == channels {
            return Ok(());
        }
        Err(Error::DataMismatch {
            what: "channels of the normalisation",
            expected: channels.to_string(),
            found: self.mean.len().to_string(),
        })
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
        normalize.check(data.shape()[0])?;
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

    fn source(&self, index: usize) -> Option<&Path> {
        self.data.source(index)
    }

    fn read(&self, draw: Draw, image: &mut [f32]) -> Result<usize, Error> {
        let label = self.data.read(draw, image)?;
        let image = ArrayViewMut3::from_shape(self.data.shape(), image).expect("an image is as long as its shape says");
        self.normalize.apply(image)?;
        Ok(label)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, Array4};

    use super::super::Arrays;
    use super::*;
    use crate::testing::on_threads;

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
    fn large_values_do_not_hide_small_deviations() {
        let images = Array4::from_shape_fn((500, 1, 4, 4), |(n, _, h, w)| 1e6 + ((n + h + w) % 2) as f32);
        let normalize = Normalize::of(&Arrays::new(images, vec![0; 500], 1).unwrap()).unwrap();
        assert_eq!((normalize.mean()[0], normalize.std()[0]), (1e6 + 0.5, 0.5));
    }

    #[test]
    fn channels_of_small_numbers_are_normalised_too() {
        for step in [1e-6, 1e-30] {
            let images = Array4::from_shape_fn((10, 1, 2, 2), |(_, _, h, w)| step * ((h + w) % 2) as f32);
            let data = Arrays::new(images, vec![0; 10], 1).unwrap();
            let normalize = Normalize::of(&data).unwrap();
            assert!((normalize.std()[0] / (0.5 * step) - 1.0).abs() < 1e-6, "{normalize:?}");
            let again = Normalize::of(&data.normalized(normalize).unwrap()).unwrap();
            assert!((again.std()[0] - 1.0).abs() < 1e-6, "{again:?}");
        }
    }

    #[test]
    fn the_same_on_any_number_of_threads() {
        let images = Array4::from_shape_fn((1000, 2, 5, 7), |(n, c, h, w)| ((n * 31 + c * 7 + h * 3 + w) as f32).sin());
        let data = Arrays::new(images, vec![0; 1000], 1).unwrap();
        let alone = on_threads(1, || Normalize::of(&data).unwrap());
        assert!([2, 3, 8].into_iter().all(|threads| on_threads(threads, || Normalize::of(&data).unwrap()) == alone));
    }

    #[test]
    fn a_constant_channel_is_centred_only() {
        for value in [3.0, 0.0, 1e-30] {
            let data = Arrays::new(Array4::from_elem((2, 1, 2, 2), value), vec![0, 0], 1).unwrap();
            assert_eq!(Normalize::of(&data).unwrap(), Normalize::new(&[value], &[1.0]).unwrap());
        }
    }

    #[test]
    fn refuses_what_it_cannot_use() {
        assert!(Normalize::new(&[0.0], &[0.0]).is_err());
        assert!(Normalize::new(&[0.0, 1.0], &[1.0]).is_err());
        assert!(Normalize::new(&[f32::NAN], &[1.0]).is_err());
        let error = arrays().normalized(Normalize::new(&[0.0], &[1.0]).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "channels of the normalisation: expected 2, found 1");
        let (colours, mut grey) = (Normalize::new(&[0.5; 3], &[0.25; 3]).unwrap(), Array3::<f32>::ones((1, 28, 28)));
        let error = colours.apply(grey.view_mut()).unwrap_err();
        assert_eq!(error.to_string(), "channels of the normalisation: expected 1, found 3");
        assert!(grey.iter().all(|&pixel| pixel == 1.0));
        assert!(Normalize::of(&arrays().take(0)).is_err());
        for bad in [f32::NAN, f32::INFINITY] {
            let mut images = arrays().images().clone();
            images[[2, 1, 0, 3]] = bad;
            let error = Normalize::of(&Arrays::new(images, vec![0; 4], 1).unwrap()).unwrap_err().to_string();
            assert!(error.starts_with("mean and deviation of a channel: expected finite numbers, found "), "{error}");
            assert!(error.ends_with(" in channel 1"), "{error}");
        }
    }
}
