//! Many samples at once.

use rayon::prelude::*;

use super::{Dataset, Draw};
use crate::error::Error;
use crate::pool;

/// Floats from which several threads share the reading.
const WORTH_SHARING: usize = 1 << 17;

/// Reads a sample per label into `images`: number `at` of them is `draw(at)`. Fails as the first sample that fails.
pub(crate) fn fill_batch(
    data: &(impl Dataset + ?Sized),
    draw: impl Fn(usize) -> Draw + Sync,
    images: &mut [f32],
    labels: &mut [usize],
) -> Result<(), Error> {
    let sample = images.len() / labels.len();
    let shared = images.len() >= WORTH_SHARING && pool::is_wide();
    let failures = images
        .par_chunks_exact_mut(sample)
        .zip(labels)
        .enumerate()
        .with_min_len(if shared { 1 } else { usize::MAX })
        .filter_map(|(at, (image, label))| match data.read(draw(at), image) {
            Ok(class) => {
                *label = class;
                None
            }
            Err(error) => Some((at, error)),
        });
    let first = || failures.min_by_key(|&(at, _)| at);
    let failed = if shared { pool::enter(first) } else { first() };
    failed.map_or(Ok(()), |(_, error)| Err(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples that say who they are; every third one from 4 on is broken.
    struct Numbers(usize);

    impl Dataset for Numbers {
        fn len(&self) -> usize {
            self.0
        }

        fn shape(&self) -> [usize; 3] {
            [1, 1, 50_000]
        }

        fn classes(&self) -> usize {
            self.0
        }

        fn read(&self, draw: Draw, image: &mut [f32]) -> Result<usize, Error> {
            if draw.index >= 4 && draw.index % 3 == 1 {
                return Err(Error::Format { path: None, reason: format!("sample {}", draw.index) });
            }
            image.fill(draw.index as f32);
            Ok(draw.index)
        }
    }

    #[test]
    fn every_sample_stands_at_its_place() {
        let (mut images, mut labels) = (vec![0.0; 4 * 50_000], [9; 4]);
        fill_batch(&Numbers(4), |at| Draw::of(3 - at), &mut images, &mut labels).unwrap();
        assert_eq!(labels, [3, 2, 1, 0]);
        assert_eq!((images[0], images[49_999], images[50_000], images[199_999]), (3.0, 3.0, 2.0, 0.0));
    }

    #[test]
    fn the_first_failure_is_reported() {
        let (mut images, mut labels) = (vec![0.0; 10 * 50_000], [0; 10]);
        let error = fill_batch(&Numbers(10), Draw::of, &mut images, &mut labels).unwrap_err();
        assert_eq!(error.to_string(), "in-memory data: sample 4");
    }
}
