//! Light of another colour.

use rand::distr::Distribution;
use rand_chacha::ChaCha8Rng;
use rand_distr::Normal;

use super::{Augment, check_colours};
use crate::data::Dataset;
use crate::data::statistics::Moments;
use crate::error::Error;

/// Adds to all pixels multiples of the principal components of the data's colours, as much as the data themselves vary
/// along them, times normal random numbers (Krizhevsky et al. 2012, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PcaLighting {
    variances: [f32; 3],
    components: [[f32; 3]; 3],
    deviation: f32,
}

impl PcaLighting {
    /// Given the components, each red, green and blue, and the variances of the data along them (the eigenvectors and
    /// eigenvalues of the covariance of its pixels), on the scale of the images: 0 to 1 for byte images.
    pub const fn new(components: [[f32; 3]; 3], variances: [f32; 3]) -> Self {
        PcaLighting { variances, components, deviation: 0.1 }
    }

    /// The components of all pixels of `data`, those along which it varies most first.
    ///
    /// # Errors
    /// [`Error::DataMismatch`] unless the images have 3 channels, there is at least one pixel, and all values are finite,
    /// or what the data set's `read` finds wrong.
    pub fn of(data: &(impl Dataset + ?Sized)) -> Result<Self, Error> {
        check_colours(data.shape())?;
        let pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)];
        let moments = Moments::of(data, &pairs)?;
        let mut covariance = [[0.0; 3]; 3];
        for (&(row, column), value) in pairs.iter().zip(moments.covariances()) {
            covariance[row][column] = value;
            covariance[column][row] = value;
        }
        let (variances, components) = eigen(covariance);
        let narrow = |values: [f64; 3]| values.map(|value| value as f32);
        let lighting = PcaLighting::new(components.map(narrow), narrow(variances));
        if !lighting.is_finite() {
            return Err(Error::DataMismatch {
                what: "variances of the data's colours",
                expected: "finite numbers".into(),
                found: format!("{:?}", lighting.variances),
            });
        }
        Ok(lighting)
    }

    /// Standard deviation of the random numbers, 0.1 unless set.
    #[must_use]
    pub const fn deviation(mut self, deviation: f32) -> Self {
        self.deviation = deviation;
        self
    }

    /// The components: red, green and blue of each.
    pub fn components(&self) -> &[[f32; 3]; 3] {
        &self.components
    }

    /// The variance of the data along each component.
    pub fn variances(&self) -> &[f32; 3] {
        &self.variances
    }

    fn is_finite(&self) -> bool {
        self.components.iter().flatten().chain(&self.variances).all(|value| value.is_finite())
    }

    fn distribution(&self) -> Option<Normal<f32>> {
        Normal::new(0.0, self.deviation).ok().filter(|_| self.deviation >= 0.0)
    }
}

impl Augment for PcaLighting {
    const NAME: &'static str = "PCA lighting";

    fn check(&self, shape: [usize; 3]) -> Result<(), Error> {
        check_colours(shape)?;
        if !self.is_finite() {
            let (option, expected) = ("components and variances of PCA lighting", "finite numbers");
            let found = format!("{:?} and {:?}", self.components, self.variances);
            return Err(Error::InvalidOption { option, expected, found });
        }
        let (option, expected) = ("deviation of PCA lighting", "a finite number, 0 or more");
        let invalid = || Error::InvalidOption { option, expected, found: self.deviation.to_string() };
        self.distribution().map(drop).ok_or_else(invalid)
    }

    fn apply(&self, image: &mut [f32], [_, h, w]: [usize; 3], rng: &mut ChaCha8Rng) {
        let Some(normal) = self.distribution() else { return };
        let amounts = self.variances.map(|variance| variance * normal.sample(rng));
        for (channel, plane) in image.chunks_exact_mut((h * w).max(1)).enumerate() {
            let light: f32 = self.components.iter().zip(amounts).map(|(component, by)| component[channel] * by).sum();
            plane.iter_mut().for_each(|value| *value += light);
        }
    }
}

/// Eigenvalues of a symmetric matrix, the largest first, and their eigenvectors of length 1: Jacobi's rotations, each of
/// which brings one pair of off-diagonal values to 0.
fn eigen(mut matrix: [[f64; 3]; 3]) -> ([f64; 3], [[f64; 3]; 3]) {
    let mut vectors = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    // Converges quadratically: a few rounds reach the last digit.
    for _round in 0..16 {
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            if matrix[p][q] == 0.0 {
                continue;
            }
            let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
            let tan = theta.signum() / (theta.abs() + theta.hypot(1.0));
            let cos = 1.0 / tan.hypot(1.0);
            let sin = tan * cos;
            let turn = |a: &mut f64, b: &mut f64| (*a, *b) = (cos * *a - sin * *b, sin * *a + cos * *b);
            for row in &mut matrix {
                let [mut a, mut b] = [row[p], row[q]];
                turn(&mut a, &mut b);
                (row[p], row[q]) = (a, b);
            }
            for rows in [&mut matrix, &mut vectors] {
                let (upper, lower) = rows.split_at_mut(q);
                upper[p].iter_mut().zip(&mut lower[0]).for_each(|(a, b)| turn(a, b));
            }
        }
    }
    let mut order = [0, 1, 2];
    order.sort_by(|&a, &b| matrix[b][b].total_cmp(&matrix[a][a]));
    (order.map(|at| matrix[at][at]), order.map(|at| vectors[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvectors_are_those_of_the_matrix() {
        for matrix in [
            [[4.0, 1.0, -2.0], [1.0, 2.0, 0.5], [-2.0, 0.5, 3.0]],
            [[2.0, 0.0, 0.0], [0.0, 5.0, 0.0], [0.0, 0.0, 3.0]],
            [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]],
        ] {
            let (values, vectors) = eigen(matrix);
            assert!(values.is_sorted_by(|a, b| a >= b), "{values:?}");
            for (at, (value, vector)) in values.iter().zip(vectors).enumerate() {
                for row in 0..3 {
                    let product: f64 = matrix[row].iter().zip(vector).map(|(m, v)| m * v).sum();
                    assert!((product - value * vector[row]).abs() < 1e-12, "{matrix:?}: {value}, {vector:?}");
                }
                for (other_at, other) in vectors.iter().enumerate() {
                    let product: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
                    assert!((product - f64::from(u8::from(at == other_at))).abs() < 1e-12);
                }
            }
        }
    }
}
