//! Samples that a network takes for something else.

use ndarray::{Array3, Array4, Axis};

use super::confusion::name_of;
use super::picture::{Picture, Span};
use super::sheet::Sheet;
use super::svg::Figure;
use crate::data::{Dataset, Draw, check_output};
use crate::error::Error;
use crate::metrics::argmax;
use crate::network::Network;

/// Samples in a pass.
const BATCH: usize = 64;

/// A sample that a network takes for another class than its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// Which sample of the data.
    pub index: usize,
    /// The sample as the network saw it: channels, height, width.
    pub image: Array3<f32>,
    /// Its class.
    pub label: usize,
    /// The class it was taken for.
    pub found: usize,
    /// How sure the network was: the softmax of its scores at `found`, from 0 to 1.
    pub confidence: f32,
}

/// Runs `data` through the network and returns the mistakes, the surest first, at most `most`.
///
/// # Errors
/// [`Error::DataMismatch`] if the network ends in a map larger than 1x1, [`Error::InputShape`] if the data are not of its
/// input shape, and what the data set's `read` finds wrong.
pub fn mistakes<N: Network>(network: &N, data: &(impl Dataset + ?Sized), most: usize) -> Result<Vec<Mistake>, Error> {
    check_output(N::INFO)?;
    let [c, h, w] = data.shape();
    let mut workspace = network.workspace(BATCH);
    let mut batch = Array4::zeros((BATCH, c, h, w));
    let mut found: Vec<Mistake> = Vec::new();
    for first in (0..data.len()).step_by(BATCH) {
        let n = BATCH.min(data.len() - first);
        let mut labels = Vec::with_capacity(n);
        for (at, mut image) in batch.outer_iter_mut().take(n).enumerate() {
            let image = image.as_slice_mut().expect("a fresh array is in order");
            labels.push(data.read(Draw::of(first + at), image)?);
        }
        let samples = batch.slice_axis(Axis(0), (0..n).into());
        let scores = network.forward_batch(&mut workspace, samples)?;
        for (at, (&label, scores)) in labels.iter().zip(scores.outer_iter()).enumerate() {
            let class = argmax(scores);
            if class != label {
                let sum: f32 = scores.iter().map(|score| (score - scores[class]).exp()).sum();
                let image = samples.index_axis(Axis(0), at).to_owned();
                found.push(Mistake { index: first + at, image, label, found: class, confidence: 1.0 / sum });
            }
        }
        // The worst of each batch suffice, so that bad networks do not keep all of the data in memory.
        found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then(a.index.cmp(&b.index)));
        found.truncate(most);
    }
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
