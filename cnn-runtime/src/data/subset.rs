//! Some samples of a data set.

use std::ops::Range;
use std::path::Path;

use rand::RngExt;

use super::{Dataset, Draw, OnBadSample, ReadAhead, Skipped};
use crate::error::Error;
use crate::random;

/// Some samples of a data set. Made by [`Dataset::take`], [`Dataset::spread`],
/// [`Dataset::readable`] and [`Dataset::hold_out`].
#[derive(Clone, Debug)]
pub struct Subset<D> {
    data: D,
    /// The samples, in order.
    indices: Vec<usize>,
}

impl<D: Dataset> Subset<D> {
    pub(super) fn first(data: D, count: usize) -> Self {
        let indices = (0..count.min(data.len())).collect();
        Subset { data, indices }
    }

    pub(super) fn spread(data: D, count: usize) -> Self {
        let all = data.len();
        let count = count.min(all);
        // In 128 bits, where no product of two lengths overflows.
        let start = |stretch: usize| (stretch as u128 * all as u128 / count as u128) as usize;
        let indices = one_of_each((0..count).map(|stretch| start(stretch)..start(stretch + 1))).collect();
        Subset { data, indices }
    }

    pub(super) fn readable(data: D) -> Result<(Self, Vec<Skipped>), Error> {
        let skipped = ReadAhead::new().on_bad_sample(OnBadSample::Skip).all(&data, 32, |_| ())?;
        let indices = all_but(data.len(), skipped.iter().map(|sample| sample.index));
        Ok((Subset { data, indices }, skipped))
    }

    pub(super) fn hold_out(data: D, every: usize) -> Result<(Self, Self), Error>
    where
        D: Clone,
    {
        if every < 2 {
            let (option, expected) = ("number of samples of which one is set apart", "at least 2");
            return Err(Error::InvalidOption { option, expected, found: every.to_string() });
        }
        let (all, apart) = (data.len(), data.len() / every);
        if apart == 0 {
            return Err(Error::DataMismatch {
                what: "samples in the data",
                expected: format!("at least {every}, one of which is set apart"),
                found: all.to_string(),
            });
        }
        let apart: Vec<_> = one_of_each((0..apart).map(|stretch| stretch * every..(stretch + 1) * every)).collect();
        let rest = all_but(all, apart.iter().copied());
        Ok((Subset { data: data.clone(), indices: rest }, Subset { data, indices: apart }))
    }
}

/// The samples of `all` that are none of these, which are in order.
fn all_but(all: usize, others: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut others = others.peekable();
    (0..all).filter(|index| others.next_if_eq(index).is_none()).collect()
}

/// One sample of each stretch, at a place that is drawn, always the same: labels often come in turns, and what picks at
/// equal distances then picks the same class again and again.
fn one_of_each(stretches: impl Iterator<Item = Range<usize>>) -> impl Iterator<Item = usize> {
    let mut rng = random::stream(0, "subset", 0, 0);
    stretches.map(move |stretch| rng.random_range(stretch))
}

impl<D: Dataset> Dataset for Subset<D> {
    fn len(&self) -> usize {
        self.indices.len()
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
        self.data.source(self.indices[index])
    }

    fn read(&self, draw: Draw, image: &mut [f32]) -> Result<usize, Error> {
        self.data.read(Draw { index: self.indices[draw.index], ..draw }, image)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

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
    fn spread_picks_one_of_each_stretch() {
        let images = counted(7);
        for (count, starts) in [(3, &[0, 2, 4, 7][..]), (4, &[0, 1, 3, 5, 7])] {
            let picked = labels(&(&images).spread(count));
            assert_eq!(picked.len(), count);
            assert!(
                picked.iter().zip(starts.windows(2)).all(|(at, ends)| (ends[0]..ends[1]).contains(at)),
                "{picked:?}"
            );
        }
        assert_eq!(labels(&(&images).spread(9)), images.labels());
        assert!((&images).spread(0).is_empty());
    }

    #[test]
    fn classes_that_take_turns_are_on_both_sides() {
        for classes in 2..=10 {
            let images = Images::new([1, 1, 1], vec![0; 1000], (0..1000).map(|at| at % classes).collect(), classes);
            let images = images.unwrap();
            let found = |data: &Subset<&Images>| labels(data).into_iter().collect::<HashSet<_>>().len();
            for every in 2..=10 {
                let (train, test) = (&images).hold_out(every).unwrap();
                assert_eq!((found(&train), found(&test)), (classes, classes), "every {every}");
            }
            assert_eq!(found(&(&images).spread(100)), classes);
        }
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
            assert!(test.iter().enumerate().all(|(at, label)| label / every == at), "{test:?} of {every}");
            let mut both = [train, test].concat();
            both.sort_unstable();
            assert_eq!(both, images.labels(), "every {every}");
        }
    }

    #[test]
    fn hold_out_refuses_what_leaves_nothing() {
        let images = counted(3);
        let message = |every| (&images).hold_out(every).unwrap_err().to_string();
        assert_eq!(message(1), "number of samples of which one is set apart is 1, expected at least 2");
        assert_eq!(message(4), "samples in the data: expected at least 4, one of which is set apart, found 3");
    }
}
