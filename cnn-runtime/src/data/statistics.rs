//! Means and covariances of a data set's channels.
//!
//! One pass over the data, on all threads: each image has a mean and sums of squares about it, so that nothing large is
//! subtracted from something as large, and two such records make one (Chan, Golub and LeVeque 1979). Which are joined
//! with which does not depend on threads.

use rayon::prelude::*;

use super::{Dataset, Draw, sample_len};
use crate::error::Error;

/// Samples one thread reads in a row.
const RUN: usize = 64;

/// Moments of channels over pixels.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    pixels: f64,
    means: Vec<f64>,
    /// For each pair of channels asked for, the sum of the products of their distances from their means.
    products: Vec<f64>,
}

impl Moments {
    /// Over all of `data`, of these pairs of channels. Fails with what is wrong with the first sample that is bad.
    pub fn of(data: &(impl Dataset + ?Sized), pairs: &[(usize, usize)]) -> Result<Self, Error> {
        if data.is_empty() || sample_len(data.shape()).is_none_or(|len| len == 0) {
            return Err(Error::DataMismatch {
                what: "data to compute a mean of",
                expected: "at least one pixel".into(),
                found: format!("{} samples of shape {:?}", data.len(), data.shape()),
            });
        }
        let runs = (0..data.len().div_ceil(RUN)).into_par_iter();
        let runs: Vec<_> = runs.map(|run| Self::of_run(data, pairs, run)).collect();
        let mut all = Moments::none(data.shape()[0], pairs);
        for run in runs {
            all.join(&run?, pairs);
        }
        Ok(all)
    }

    /// The mean of each channel.
    pub fn means(&self) -> &[f64] {
        &self.means
    }

    /// The covariance of each pair of channels.
    pub fn covariances(&self) -> impl Iterator<Item = f64> {
        self.products.iter().map(|product| product / self.pixels)
    }

    fn none(channels: usize, pairs: &[(usize, usize)]) -> Self {
        Moments { pixels: 0.0, means: vec![0.0; channels], products: vec![0.0; pairs.len()] }
    }

    fn of_run(data: &(impl Dataset + ?Sized), pairs: &[(usize, usize)], run: usize) -> Result<Self, Error> {
        let [channels, h, w] = data.shape();
        let mut image = vec![0.0; channels * h * w];
        let (mut all, mut one) = (Moments::none(channels, pairs), Moments::none(channels, pairs));
        for index in run * RUN..data.len().min((run + 1) * RUN) {
            data.read(Draw::of(index), &mut image)?;
            one.set(&image, h * w, pairs);
            all.join(&one, pairs);
        }
        Ok(all)
    }

    /// Becomes the moments of one image.
    fn set(&mut self, image: &[f32], plane: usize, pairs: &[(usize, usize)]) {
        self.pixels = plane as f64;
        for (mean, values) in self.means.iter_mut().zip(image.chunks_exact(plane)) {
            *mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / self.pixels;
        }
        for (sum, &(a, b)) in self.products.iter_mut().zip(pairs) {
            let distances = |channel: usize| {
                let mean = self.means[channel];
                image[channel * plane..][..plane].iter().map(move |&value| f64::from(value) - mean)
            };
            *sum = distances(a).zip(distances(b)).map(|(a, b)| a * b).sum();
        }
    }

    fn join(&mut self, other: &Moments, pairs: &[(usize, usize)]) {
        let pixels = self.pixels + other.pixels;
        let apart = |channel: usize| other.means[channel] - self.means[channel];
        for ((sum, more), &(a, b)) in self.products.iter_mut().zip(&other.products).zip(pairs) {
            *sum += more + apart(a) * apart(b) * (self.pixels * other.pixels / pixels);
        }
        for (mean, more) in self.means.iter_mut().zip(&other.means) {
            *mean += (more - *mean) * (other.pixels / pixels);
        }
        self.pixels = pixels;
    }
}
