//! Samples that a network takes for something else.

use std::path::{Path, PathBuf};

use ndarray::{Array3, Axis};

use super::confusion::name_of;
use super::picture::{Picture, Span};
use super::sheet::Sheet;
use super::svg::Figure;
use crate::data::{Dataset, Labelled, ReadAhead};
use crate::error::Error;
use crate::metrics::{argmax, scores, softmax};
use crate::network::Network;

/// Samples in a pass.
const BATCH: usize = 64;

/// A sample that a network takes for another class than its own.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Mistake {
    /// Which sample of the data.
    pub index: usize,
    /// The file that it was read from, if there is one.
    pub source: Option<PathBuf>,
    /// The sample as the network saw it: channels, height, width.
    pub image: Array3<f32>,
    /// Its class.
    pub label: usize,
    /// The class it was taken for.
    pub found: usize,
    /// How sure the network was: the softmax of its scores at `found`, from 0 to 1.
    pub confidence: f32,
}

/// Runs `data` through the network and returns the mistakes, the surest first, at most `most`. Those whose
/// confidence is NaN come last.
///
/// # Errors
/// As [`evaluate`](crate::metrics::evaluate).
pub fn mistakes<N: Network>(network: &N, data: &(impl Dataset + ?Sized), most: usize) -> Result<Vec<Mistake>, Error> {
    let mut workspace = network.workspace(BATCH);
    let mut found: Vec<Mistake> = Vec::new();
    // The larger of NaN and a number is the number.
    let sure = |mistake: &Mistake| mistake.confidence.max(0.0);
    ReadAhead::new().all(&Labelled::of(data, N::INFO)?, BATCH, |batch| {
        let scores = scores(network, &mut workspace, batch.images());
        for (at, (&label, scores)) in batch.labels().iter().zip(scores.outer_iter()).enumerate() {
            let class = argmax(scores);
            if class != label {
                let confidence = softmax(scores)[class];
                let (index, image) =
                    (batch.number() * BATCH + at, batch.view().index_axis_move(Axis(0), at).to_owned());
                let source = data.source(index).map(Path::to_owned);
                found.push(Mistake { index, source, image, label, found: class, confidence });
            }
        }
        // The worst of each batch suffice, so that bad networks do not keep all of the data in memory.
        found.sort_by(|a, b| sure(b).total_cmp(&sure(a)).then(a.index.cmp(&b.index)));
        found.truncate(most);
    })?;
    Ok(found)
}

/// Draws mistakes with what each sample is and what it was taken for. `names` are the classes' names; numbers stand for
/// those that are missing.
///
/// # Errors
/// [`Error::DataMismatch`] for samples with another number of channels than 1 or 3.
pub fn mistake_sheet(title: &str, mistakes: &[Mistake], names: &[String]) -> Result<Figure, Error> {
    let note = if mistakes.is_empty() { "none" } else { "the surest first, with the network's confidence" };
    let mut sheet = Sheet::new(title).band("", note).tile_size(84);
    for Mistake { image, label, found, confidence, .. } in mistakes {
        let picture = Picture::of_image(image.view(), Span::of(image))?;
        let is = format!("is {}", name_of(names, *label));
        let taken = format!("taken for {}", name_of(names, *found));
        let sure = format!("{:.0} %", 100.0 * confidence);
        sheet = sheet.tile(picture, &[&is, &taken, &sure]);
    }
    Ok(sheet.draw())
}

#[cfg(test)]
mod tests {
    use ndarray::Array4;

    use super::*;
    use crate::data::Arrays;
    use crate::metrics::evaluate;
    use crate::toy::Toy;

    #[test]
    fn mistakes_are_those_that_an_evaluation_counts_the_surest_first() {
        let images = Array4::from_shape_fn((100, 1, 2, 3), |(n, _, h, w)| ((n * 6 + h * 3 + w) as f32).sin());
        let data = Arrays::new(images, (0..100).map(|n| n % 3).collect(), 3).unwrap();
        let net = Toy::new(5);
        let all = mistakes(&net, &data, 1000).unwrap();
        let reached = evaluate(&net, &mut net.workspace(10), &data).unwrap();
        assert_eq!(all.len(), reached.samples() - reached.correct());
        assert!(all.windows(2).all(|pair| pair[0].confidence >= pair[1].confidence));
        assert!(all.iter().all(|mistake| mistake.label == mistake.index % 3 && mistake.found != mistake.label));
        assert_eq!(mistakes(&net, &data, 4).unwrap(), all[..4]);
        let svg = mistake_sheet("Toys", &all[..4], &["zero".into()]).unwrap().to_svg();
        assert_eq!(svg.matches("<image").count(), 4);
        assert!(svg.contains(">taken for "), "{svg}");
    }

    #[test]
    fn mistakes_that_are_no_numbers_come_last() {
        let mut images = Array4::zeros((3, 1, 2, 3));
        images[[1, 0, 0, 0]] = f32::NAN;
        let net = Toy::new(5);
        // Taken for the first of equals, as are scores that are NaN.
        let data = Arrays::new(images, vec![2; 3], 3).unwrap();
        let order: Vec<usize> = mistakes(&net, &data, 3).unwrap().iter().map(|mistake| mistake.index).collect();
        assert_eq!(order, [0, 2, 1]);
    }

    #[test]
    fn data_that_do_not_fit_are_refused_as_by_an_evaluation() {
        let other = Arrays::new(Array4::zeros((1, 1, 2, 2)), vec![0], 1).unwrap();
        assert!(matches!(mistakes(&Toy::new(5), &other, 1), Err(Error::DataMismatch { .. })));
        let labels = Arrays::new(Array4::zeros((70, 1, 2, 3)), [vec![0; 69], vec![3]].concat(), 4).unwrap();
        let error = mistakes(&Toy::new(5), &labels, 1).unwrap_err().to_string();
        assert_eq!(error, "label 3 of sample 69 is out of range: expected 0 to 2");
    }

    crate::cnn! {
        Map <1x2x3> -> conv(2, 1x1);
    }

    #[test]
    fn a_network_that_ends_in_a_map_does_not_classify() {
        let data = Arrays::new(Array4::zeros((1, 1, 2, 3)), vec![0], 1).unwrap();
        let error = mistakes(&Map::new(0), &data, 1).unwrap_err().to_string();
        assert_eq!(error, "output of the network: expected a score for each class, found the 2x2x3 of Map");
    }

    #[test]
    fn a_network_without_mistakes_has_a_sheet_too() {
        assert!(mistake_sheet("None", &[], &[]).unwrap().to_svg().contains(">none</text>"));
    }
}
