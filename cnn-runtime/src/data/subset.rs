//! Some samples of a data set.

use super::{Dataset, Draw};
use crate::error::Error;

/// Some samples of a data set. Made by [`Dataset::take`], [`Dataset::spread`] and [`Dataset::hold_out`].
#[derive(Clone, Debug)]
pub struct Subset<D> {
    data: D,
    count: usize,
    which: Which,
}

/// Which samples.
#[derive(Clone, Copy, Debug)]
enum Which {
    /// At equal distances among so many, from the first on.
    Spread(usize),
    /// Each that ends so many.
    Apart(usize),
    /// All but those.
    Rest(usize),
}

impl<D: Dataset> Subset<D> {
    pub(super) fn first(data: D, count: usize) -> Self {
        let count = count.min(data.len());
        Subset { data, count, which: Which::Spread(count) }
    }

    pub(super) fn spread(data: D, count: usize) -> Self {
        let all = data.len();
        Subset { data, count: count.min(all), which: Which::Spread(all) }
    }

    pub(super) fn hold_out(data: D, every: usize) -> Result<(Self, Self), Error>
    where
        D: Clone,
    {
        let (option, expected, found) = ("every", "at least 2", every.to_string());
        if every < 2 {
            return Err(Error::InvalidOption { option, expected, found });
        }
        let (all, apart) = (data.len(), data.len() / every);
        if apart == 0 {
            return Err(Error::DataMismatch {
                what: "samples in the data",
                expected: format!("at least {every}, one of which is set apart"),
                found: all.to_string(),
            });
        }
        let rest = Subset { data: data.clone(), count: all - apart, which: Which::Rest(every) };
        Ok((rest, Subset { data, count: apart, which: Which::Apart(every) }))
    }
}

impl<D: Dataset> Dataset for Subset<D> {
    fn len(&self) -> usize {
        self.count
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
        let Draw { index, .. } = draw;
        assert!(index < self.count, "sample {index} of {}", self.count);
        let index = match self.which {
            // In 128 bits, where no product of two lengths overflows.
            Which::Spread(all) => (index as u128 * all as u128 / self.count as u128) as usize,
            Which::Apart(every) => (index + 1) * every - 1,
            Which::Rest(every) => index + index / (every - 1),
        };
        self.data.read(Draw { index, ..draw }, image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Images;

    /// Samples whose label says how many of them there are before it.
    fn counted(samples: u8) -> Images {
        let labels = (0..usize::from(samples)).collect();
        Images::new([1, 1, 1], vec![0; samples.into()], labels, samples.into()).unwrap()
    }

    fn labels(data: &impl Dataset) -> Vec<usize> {
        (0..data.len()).map(|at| data.read(Draw::of(at), &mut [0.0]).unwrap()).collect()
    }

    #[test]
    fn spread_picks_at_equal_distances() {
        let images = counted(7);
        assert_eq!(labels(&(&images).spread(3)), [0, 2, 4]);
        assert_eq!(labels(&(&images).spread(4)), [0, 1, 3, 5]);
        assert_eq!(labels(&(&images).spread(9)), images.labels());
    }

    #[test]
    fn take_keeps_the_first() {
        let images = counted(3);
        assert_eq!(labels(&(&images).take(2)), [0, 1]);
        assert_eq!(labels(&(&images).take(9)), images.labels());
    }

    #[test]
    fn hold_out_shares_out_all_samples() {
        let images = counted(11);
        for every in 2..=11 {
            let (train, test) = (&images).hold_out(every).unwrap();
            let (train, test) = (labels(&train), labels(&test));
            assert!(test.iter().all(|label| (label + 1).is_multiple_of(every)), "{test:?} of {every}");
            let mut both = [train, test].concat();
            both.sort_unstable();
            assert_eq!(both, images.labels(), "every {every}");
        }
    }

    #[test]
    fn hold_out_refuses_what_leaves_nothing() {
        let images = counted(3);
        let message = |every| (&images).hold_out(every).unwrap_err().to_string();
        assert_eq!(message(1), "every is 1, expected at least 2");
        assert_eq!(message(4), "samples in the data: expected at least 4, one of which is set apart, found 3");
    }
}
