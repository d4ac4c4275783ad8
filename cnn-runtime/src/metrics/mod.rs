//! How well a network does.

mod confusion;

use ndarray::{Array1, ArrayView1, ArrayView2, CowArray, Ix2};

use crate::data::{Dataset, Labelled, ReadAhead, Skipped, last_softmax};
use crate::error::Error;
use crate::loss::{Labels, class, cross_entropy};
use crate::network::Network;
use crate::workspace::{Workspace, run_infer};

pub use confusion::Confusion;

/// The class with the highest score; the first of equals. 0 if there is none above NaN or minus infinity.
pub fn argmax(scores: ArrayView1<'_, f32>) -> usize {
    let mut best = (0, f32::NEG_INFINITY);
    for (class, &score) in scores.iter().enumerate() {
        if score > best.1 {
            best = (class, score);
        }
    }
    best.0
}

/// Whether the highest score is that of `label`. Never where no score is above NaN or minus infinity: what a network that
/// has diverged says of all samples is right about none.
fn is_found(scores: ArrayView1<'_, f32>, label: usize) -> bool {
    argmax(scores) == label && scores[label] > f32::NEG_INFINITY
}

/// How many rows of `output` have their highest score at their label. Rows of NaN have none.
///
/// # Errors
/// [`Error::TargetCount`] unless there is a label per row, [`Error::LabelOutOfRange`] for a label without a column.
pub fn correct<T: Labels + ?Sized>(output: ArrayView2<'_, f32>, labels: &T) -> Result<usize, Error> {
    let (n, classes) = output.dim();
    if labels.count() != n {
        return Err(Error::TargetCount { what: "labels", expected: n, found: labels.count() });
    }
    let mut count = 0;
    for (index, scores) in output.outer_iter().enumerate() {
        count += usize::from(is_found(scores, class(labels.label(index), index, classes)?));
    }
    Ok(count)
}

/// Whether the score of `label` is among the `k` highest. Of equal scores the first counts as the highest; NaN is
/// never among them.
///
/// # Panics
/// If there is no score of `label`.
pub fn in_top(scores: ArrayView1<'_, f32>, label: usize, k: usize) -> bool {
    let own = scores[label];
    let higher = |&(class, score): &(usize, f32)| score > own || (score == own && class < label);
    !own.is_nan() && scores.iter().copied().enumerate().filter(higher).count() < k
}

/// The probabilities that scores of classes stand for: from 0 to 1, and 1 in sum. All are NaN if a score is NaN or plus
/// infinity, or if none is above minus infinity.
pub fn softmax(scores: ArrayView1<'_, f32>) -> Array1<f32> {
    let highest = scores.fold(f32::NEG_INFINITY, |highest, &score| highest.max(score));
    let parts = scores.mapv(|score| (score - highest).exp());
    let sum = parts.sum();
    parts / sum
}

/// The `k` classes of the highest scores, or all if there are fewer, and these: the highest first, of equals the first.
/// NaN is never among them.
pub fn top(scores: ArrayView1<'_, f32>, k: usize) -> Vec<(usize, f32)> {
    let mut classes: Vec<_> = scores.iter().copied().enumerate().filter(|(_, score)| !score.is_nan()).collect();
    classes.sort_by(|(_, a), (_, b)| b.partial_cmp(a).expect("no score is NaN"));
    classes.truncate(k);
    classes
}

/// What [`evaluate`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean cross-entropy.
    pub loss: f32,
    /// Samples whose class was among the five with the highest scores.
    pub in_top5: usize,
    /// Which classes were taken for which.
    pub confusion: Confusion,
}

/// What an [`Evaluation`] comes to, without the classes that were taken for which: of a size that does not depend on
/// their number, so that a run can keep one of each epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Mean cross-entropy.
    pub loss: f32,
    /// Samples looked at.
    pub samples: usize,
    /// Samples whose class was found.
    pub correct: usize,
    /// Samples whose class was among the five with the highest scores.
    pub in_top5: usize,
}

impl Summary {
    /// The part of the samples whose class was found, from 0 to 1: top-1 accuracy.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.samples as f64
    }

    /// The part of the samples whose class was among the five with the highest scores, from 0 to 1: top-5 accuracy.
    pub fn top5(&self) -> f64 {
        self.in_top5 as f64 / self.samples as f64
    }
}

impl Evaluation {
    /// What it comes to.
    pub fn summary(&self) -> Summary {
        let Evaluation { loss, in_top5, .. } = *self;
        Summary { loss, samples: self.samples(), correct: self.correct(), in_top5 }
    }

    /// Samples looked at.
    pub fn samples(&self) -> usize {
        self.confusion.samples() as usize
    }

    /// Samples whose class was found.
    pub fn correct(&self) -> usize {
        self.confusion.correct() as usize
    }

    /// The part of the samples whose class was found, from 0 to 1: top-1 accuracy.
    pub fn accuracy(&self) -> f64 {
        self.confusion.accuracy()
    }

    /// The part of the samples whose class was among the five with the highest scores, from 0 to 1: top-5 accuracy.
    pub fn top5(&self) -> f64 {
        self.in_top5 as f64 / self.samples() as f64
    }
}

/// Runs all of `data` through the network, in batches as large as the workspace takes, and counts what it takes for what.
/// The network ends in a score for each class or, by a softmax, in a probability. A sample that cannot be read is an
/// error; [`Dataset::readable`] sets those aside.
///
/// # Errors
/// [`Error::DataMismatch`] if the network ends in a map larger than 1x1, or if the data are not of its input shape or
/// there are none, [`Error::LabelOutOfRange`] for a label without a score, and what the data set's `read` finds wrong.
pub fn evaluate<N: Network>(
    network: &N,
    workspace: &mut Workspace<N>,
    data: &(impl Dataset + ?Sized),
) -> Result<Evaluation, Error> {
    evaluate_ahead(network, workspace, data, &mut ReadAhead::new()).map(|(found, _)| found)
}

/// As [`evaluate`], over batches that `ahead` reads; tells which samples it left out.
pub(crate) fn evaluate_ahead<N: Network>(
    network: &N,
    workspace: &mut Workspace<N>,
    data: &(impl Dataset + ?Sized),
    ahead: &mut ReadAhead,
) -> Result<(Evaluation, Vec<Skipped>), Error> {
    let data = Labelled::of(data, N::INFO)?;
    let mut tally = Tally::new(data.classes);
    let skipped = ahead.all(&data, workspace.capacity(), |batch| {
        let scores = scores(network, workspace, batch.images());
        scores.outer_iter().zip(batch.labels()).for_each(|(scores, &label)| tally.add(scores, label));
    })?;
    Ok((tally.finish(), skipped))
}

/// The scores of a batch, a row per sample, which the workspace has room for. Of a network that ends in a softmax, they are
/// the logarithms of its probabilities, which are scores of the same probabilities.
pub(crate) fn scores<'w, N: Network>(
    network: &N,
    workspace: &'w mut Workspace<N>,
    images: &[f32],
) -> CowArray<'w, f32, Ix2> {
    let n = images.len() / N::INFO.infer.input.len;
    workspace.samples_mut(n).copy_from_slice(images);
    run_infer(network, workspace, n);
    match last_softmax(N::INFO) {
        Some(_) => workspace.rows(n).mapv(f32::ln).into(),
        None => workspace.rows(n).into(),
    }
}

/// An [`Evaluation`] in the making.
pub(crate) struct Tally {
    loss: f64,
    in_top5: usize,
    confusion: Confusion,
}

impl Tally {
    /// Nothing yet, of so many classes.
    pub(crate) fn new(classes: usize) -> Self {
        Tally { loss: 0.0, in_top5: 0, confusion: Confusion::new(classes) }
    }

    /// Counts a sample of class `label`.
    pub(crate) fn add(&mut self, scores: ArrayView1<'_, f32>, label: usize) {
        self.loss += cross_entropy(scores, label);
        self.in_top5 += usize::from(in_top(scores, label, 5));
        // Where there is no highest score, the sample counts as taken for another class, whichever.
        let found = match argmax(scores) {
            class if class == label && !is_found(scores, label) => (label + 1) % scores.len(),
            class => class,
        };
        self.confusion.add(label, found);
    }

    /// What was found of all samples.
    pub(crate) fn finish(self) -> Evaluation {
        let loss = (self.loss / self.confusion.samples() as f64) as f32;
        Evaluation { loss, in_top5: self.in_top5, confusion: self.confusion }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array4, array};

    use super::*;
    use crate::data::Arrays;
    use crate::toy::Toy;

    #[test]
    fn argmax_takes_the_first_of_equals_and_passes_over_nan() {
        assert_eq!(argmax(array![1.0, 3.0, 3.0].view()), 1);
        assert_eq!(argmax(array![f32::NAN, -5.0, -7.0].view()), 1);
        assert_eq!(argmax(array![f32::NAN].view()), 0);
    }

    #[test]
    fn the_first_of_equals_are_the_highest() {
        let scores = array![1.0, 3.0, 3.0, 0.0, f32::NAN];
        let ranks = |label| (0..=5).find(|&k| in_top(scores.view(), label, k));
        assert_eq!([0, 1, 2, 3, 4].map(ranks), [Some(3), Some(1), Some(2), Some(4), None]);
    }

    #[test]
    fn the_highest_scores_come_with_their_classes() {
        let scores = array![0.0, -3.0, f32::NAN, 2.0, -0.0, 2.0];
        assert_eq!(top(scores.view(), 4), [(3, 2.0), (5, 2.0), (0, 0.0), (4, 0.0)]);
        assert_eq!(top(scores.view(), 9).len(), 5);
    }

    #[test]
    fn probabilities_are_the_softmax_of_scores() {
        let found = softmax(array![1.0, 1.0 + 3.0f32.ln(), f32::NEG_INFINITY].view());
        assert!((&found - &array![0.25, 0.75, 0.0]).iter().all(|off| off.abs() < 1e-6), "{found}");
        assert!(softmax(array![1.0, f32::NAN].view()).iter().all(|part| part.is_nan()));
    }

    #[test]
    fn correct_counts_rows() {
        let output = array![[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]];
        assert_eq!(correct(output.view(), &[0, 1, 1]).unwrap(), 2);
        assert_eq!(correct(array![[f32::NAN; 2], [f32::NEG_INFINITY; 2], [1.0, f32::NAN]].view(), &[0; 3]).unwrap(), 1);
        assert!(correct(output.view(), &[0, 1]).is_err());
        assert!(correct(output.view(), &[0, 1, 2]).is_err());
    }

    #[test]
    fn evaluation_does_not_depend_on_the_batch() {
        let images = Array4::from_shape_fn((10, 1, 2, 3), |(n, _, h, w)| ((n * 6 + h * 3 + w) as f32).sin());
        let data = Arrays::new(images, (0..10).map(|n| n % 3).collect(), 3).unwrap();
        let net = Toy::new(5);
        let all = evaluate(&net, &mut net.workspace(10), &data).unwrap();
        assert_eq!(evaluate(&net, &mut net.workspace(3), &data).unwrap(), all);
        assert_eq!(evaluate(&net, &mut net.workspace(64), &data).unwrap(), all);
        assert_eq!((all.samples(), all.accuracy()), (10, all.correct() as f64 / 10.0));
        assert_eq!(all.top5(), 1.0, "there are three classes");
        let summary = all.summary();
        assert_eq!((summary.samples, summary.accuracy(), summary.top5()), (10, all.accuracy(), all.top5()));
    }

    #[test]
    fn a_network_of_nan_finds_no_class() {
        let data = Arrays::new(Array4::from_elem((4, 1, 2, 3), f32::NAN), vec![0, 0, 0, 1], 3).unwrap();
        let net = Toy::new(5);
        let found = evaluate(&net, &mut net.workspace(4), &data).unwrap();
        assert_eq!((found.samples(), found.accuracy(), found.top5()), (4, 0.0, 0.0));
    }

    crate::cnn! {
        Map <1x2x3> -> conv(2, 1x1);

        Scored <1x2x3> -> fc(3);

        Likely <1x2x3> -> fc(3) -> softmax -> reshape(3x1x1);
    }

    #[test]
    fn probabilities_are_not_made_twice() {
        let images = Array4::from_shape_fn((10, 1, 2, 3), |(n, _, h, w)| ((n * 6 + h * 3 + w) as f32).sin());
        let data = Arrays::new(images, (0..10).map(|n| n % 3).collect(), 3).unwrap();
        let (scores, probabilities) = (Scored::new(1), Likely::new(1));
        let expected = evaluate(&scores, &mut scores.workspace(4), &data).unwrap();
        let found = evaluate(&probabilities, &mut probabilities.workspace(4), &data).unwrap();
        assert_eq!((found.in_top5, &found.confusion), (expected.in_top5, &expected.confusion));
        assert!((found.loss - expected.loss).abs() < 1e-5, "{} against {}", found.loss, expected.loss);
    }

    #[test]
    fn a_network_that_ends_in_a_map_does_not_classify() {
        let data = Arrays::new(Array4::zeros((1, 1, 2, 3)), vec![0], 1).unwrap();
        let net = Map::new(0);
        let error = evaluate(&net, &mut net.workspace(1), &data).unwrap_err();
        assert_eq!(error.to_string(), "output of the network: expected a score for each class, found the 2x2x3 of Map");
    }

    #[test]
    fn wrong_labels_are_named_by_their_place_in_the_data() {
        let data = Arrays::new(Array4::zeros((5, 1, 2, 3)), vec![0, 1, 2, 9, 0], 10).unwrap();
        let net = Toy::new(5);
        let error = evaluate(&net, &mut net.workspace(2), &data).unwrap_err();
        assert_eq!(error.to_string(), "label 9 of sample 3 is out of range: expected 0 to 2");
    }
}
