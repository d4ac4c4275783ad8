//! Several networks that decide together.

use ndarray::{Array2, ArrayView2, ArrayView4, ArrayViewMut2, Axis};

use crate::data::{Dataset, Labelled, ReadAhead, check_output, last_softmax};
use crate::error::Error;
use crate::metrics::{Evaluation, Tally, scores, softmax};
use crate::network::Network;
use crate::workspace::Workspace;

/// Networks of one architecture whose probabilities, the softmax of their scores, are averaged (Krizhevsky et al. 2012,
/// section 7: seven of them take AlexNet's error from 18.2 % to 15.4 %). Trained from other seeds they make other mistakes.
///
/// ```
/// use cnn_runtime::prelude::*;
///
/// cnn! { Tiny <1x4x4> -> conv(2, 3x3) -> relu -> fc(3) }
///
/// let ensemble = Ensemble::new((1..=7).map(Tiny::new).collect())?;
/// let batch = cnn_runtime::ndarray::Array4::zeros((2, 1, 4, 4));
/// let probabilities = ensemble.probabilities(&mut ensemble.workspace(2), batch.view())?;
/// assert_eq!(probabilities.dim(), (2, 3));
/// assert!((probabilities.row(0).sum() - 1.0).abs() < 1e-6);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Ensemble<N> {
    members: Vec<N>,
}

impl<N: Network> Ensemble<N> {
    /// An ensemble of these networks, which end in scores or in a softmax.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if there are none, [`Error::DataMismatch`] if they end in maps larger than 1x1.
    pub fn new(members: Vec<N>) -> Result<Self, Error> {
        check_output(N::INFO)?;
        if members.is_empty() {
            let (option, expected) = ("number of members", "at least 1");
            return Err(Error::InvalidOption { option, expected, found: "0".into() });
        }
        Ok(Ensemble { members })
    }

    /// The networks.
    pub fn members(&self) -> &[N] {
        &self.members
    }

    /// Memory for batches of up to `capacity` samples, which the members use one after the other.
    ///
    /// # Panics
    /// As [`Network::workspace`].
    pub fn workspace(&self, capacity: usize) -> Workspace<N> {
        self.members[0].workspace(capacity)
    }

    /// The probabilities of all classes, a row per sample.
    ///
    /// # Errors
    /// As [`Network::forward_batch`].
    pub fn probabilities(
        &self,
        workspace: &mut Workspace<N>,
        batch: ArrayView4<'_, f32>,
    ) -> Result<Array2<f32>, Error> {
        let mut sum = Array2::zeros((batch.len_of(Axis(0)), N::INFO.infer.output.len));
        for member in &self.members {
            let rows = member.forward_batch(workspace, batch)?;
            match last_softmax(N::INFO) {
                Some(_) => sum += &rows,
                None => add_softmax(sum.view_mut(), rows),
            }
        }
        Ok(sum / self.members.len() as f32)
    }

    /// Runs all of `data` through the ensemble, as [`evaluate`](crate::metrics::evaluate) does with one network. The loss
    /// is that of the averaged probabilities.
    ///
    /// # Errors
    /// As [`evaluate`](crate::metrics::evaluate).
    pub fn evaluate(&self, workspace: &mut Workspace<N>, data: &(impl Dataset + ?Sized)) -> Result<Evaluation, Error> {
        let data = Labelled::of(data, N::INFO)?;
        let mut tally = Tally::new(data.classes);
        ReadAhead::new().all(&data, workspace.capacity(), |batch| {
            let mut sum = Array2::zeros((batch.len(), data.classes));
            for member in &self.members {
                add_softmax(sum.view_mut(), scores(member, workspace, batch.images()).view());
            }
            // The logarithms of probabilities are scores of the same probabilities.
            let scores = sum.mapv_into(|sum: f32| (sum / self.members.len() as f32).ln());
            scores.outer_iter().zip(batch.labels()).for_each(|(scores, &label)| tally.add(scores, label));
        })?;
        Ok(tally.finish())
    }
}

/// Adds the softmax of each row of scores.
fn add_softmax(mut sum: ArrayViewMut2<'_, f32>, scores: ArrayView2<'_, f32>) {
    sum.outer_iter_mut().zip(scores.outer_iter()).for_each(|(mut sum, scores)| sum += &softmax(scores));
}

#[cfg(test)]
mod tests {
    use ndarray::Array4;

    use super::*;
    use crate::data::Arrays;
    use crate::metrics::evaluate;
    use crate::toy::Toy;

    fn data() -> Arrays {
        let images = Array4::from_shape_fn((10, 1, 2, 3), |(n, _, h, w)| ((n * 6 + h * 3 + w) as f32).sin());
        Arrays::new(images, (0..10).map(|n| n % 3).collect(), 3).unwrap()
    }

    #[test]
    fn one_member_decides_as_it_does_alone() {
        let net = Toy::new(4);
        let alone = evaluate(&net, &mut net.workspace(4), &data()).unwrap();
        let together = Ensemble::new(vec![net.clone(), net.clone(), net]).unwrap();
        let found = together.evaluate(&mut together.workspace(4), &data()).unwrap();
        assert_eq!(found.confusion, alone.confusion);
        assert!((found.loss - alone.loss).abs() < 1e-6);
    }

    #[test]
    fn probabilities_are_the_mean_over_members() {
        let ensemble = Ensemble::new(vec![Toy::new(1), Toy::new(2)]).unwrap();
        let (data, mut workspace) = (data(), ensemble.workspace(10));
        let both = ensemble.probabilities(&mut workspace, data.images().view()).unwrap();
        let mean = ensemble.members().iter().map(|member| {
            let one = Ensemble::new(vec![member.clone()]).unwrap();
            one.probabilities(&mut workspace, data.images().view()).unwrap() / 2.0
        });
        let mean = mean.reduce(|a, b| a + b).unwrap();
        assert!((&both - &mean).iter().all(|d| d.abs() < 1e-6), "{both} against {mean}");
        assert!(both.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-6));
    }

    crate::cnn! {
        #[derive(Debug)]
        Map <1x2x3> -> conv(2, 1x1);

        Scores <1x2x3> -> fc(3);

        Probabilities <1x2x3> -> fc(3) -> softmax;
    }

    #[test]
    fn probabilities_of_members_are_taken_as_they_are() {
        let scores = Ensemble::new(vec![Scores::new(1), Scores::new(2)]).unwrap();
        let made = Ensemble::new(vec![Probabilities::new(1), Probabilities::new(2)]).unwrap();
        let data = data();
        let expected = scores.probabilities(&mut scores.workspace(10), data.images().view()).unwrap();
        let found = made.probabilities(&mut made.workspace(10), data.images().view()).unwrap();
        assert!((&found - &expected).iter().all(|d| d.abs() < 1e-6), "{found} against {expected}");
        let expected = scores.evaluate(&mut scores.workspace(4), &data).unwrap();
        let found = made.evaluate(&mut made.workspace(4), &data).unwrap();
        assert_eq!(found.confusion, expected.confusion);
        assert!((found.loss - expected.loss).abs() < 1e-5, "{} against {}", found.loss, expected.loss);
    }

    #[test]
    fn an_ensemble_has_members_that_classify() {
        let error = Ensemble::new(vec![Map::new(0)]).unwrap_err().to_string();
        assert_eq!(error, "output of the network: expected a score for each class, found the 2x2x3 of Map");
        let error = Ensemble::<Toy>::new(Vec::new()).unwrap_err().to_string();
        assert_eq!(error, "number of members is 0, expected at least 1");
    }
}
