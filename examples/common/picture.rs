//! Pictures through networks.

use std::path::Path;
use std::time::{Duration, Instant};

use cnn_runtime::data::pictures;
use cnn_runtime::metrics::top;
use cnn_runtime::prelude::*;
use cnn_runtime::weights::Weights;
use ndarray::{Array4, Axis};

use crate::{Failure, Outcome};

/// Mean of each colour over ImageNet's training photos, which published networks subtract.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of each colour over ImageNet's training photos.
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// What published networks do to the colours of a photo.
pub fn imagenet() -> Normalize {
    Normalize::new(&IMAGENET_MEAN, &IMAGENET_STD).expect("no deviation is 0")
}

/// What the network of a file normalises pictures by: what the file says or, if it does not say whose network it is
/// either, what published networks do.
///
/// # Errors
///
/// When a file of this library does not say it: [`Saver::normalize`](cnn_runtime::weights::Saver::normalize) writes it.
pub fn normalize_of(file: &Weights) -> Result<Normalize, Failure> {
    match (file.normalize()?, file.metadata().get("network")) {
        (Some(normalize), _) => Ok(normalize),
        (None, None) => Ok(imagenet()),
        (None, Some(network)) => Err(format!(
            "the file of {network} does not say what pictures are normalised by: `Saver::normalize` writes it"
        )
        .into()),
    }
}

/// Reads a picture into a batch of one: scaled to cover `shape` (channels, height, width), cut at its centre, turned into
/// its negative if it is to be inverted, and normalised.
///
/// # Errors
///
/// When the file cannot be read or is not a picture; the message names it. When `normalize` is for other channels.
pub fn load(path: &Path, shape: [usize; 3], invert: bool, normalize: &Normalize) -> Result<Array4<f32>, Error> {
    let mut picture = pictures::picture(path, shape)?;
    if invert {
        picture.mapv_inplace(|value| 1.0 - value);
    }
    normalize.apply(picture.view_mut())?;
    Ok(picture.insert_axis(Axis(0)))
}

/// Runs a photo through a network whose weights are random; prints the median time of `runs` passes and the five
/// classes with the highest scores.
///
/// # Errors
///
/// When the photo cannot be read.
pub fn classify<N: Network>(net: &N, photo: &Path, runs: usize) -> Outcome {
    let batch = load(photo, N::INFO.input, false, &imagenet())?;
    let mut workspace = net.workspace(1);
    net.forward_batch(&mut workspace, batch.view())?; // The first pass warms caches and threads.
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let start = Instant::now();
        net.forward_batch(&mut workspace, batch.view())?;
        times.push(start.elapsed());
    }
    let time = median(&mut times).as_secs_f64();
    let scores = net.forward_batch(&mut workspace, batch.view())?;

    println!("{}: {} parameters, {} multiply-accumulates", N::INFO.name, N::INFO.params, N::INFO.macs);
    println!("{}: the five highest of {} scores", photo.display(), scores.len());
    for (class, score) in top(scores.row(0), 5) {
        println!("  class {class:>3} {score:>14.2}");
    }
    println!("the weights are random: these classes mean nothing, only the shapes and the time do");
    println!("{:.1} ms a picture, median of {runs} ({:.0} GFLOP/s)", 1e3 * time, 2e-9 * N::INFO.macs as f64 / time);
    Ok(())
}

/// The middle of the sorted times, or zero if there are none.
fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use cnn_runtime::weights::{self, Saver};

    use super::*;

    #[test]
    fn a_shipped_photo_fills_the_batch_with_normalised_colours() {
        let photo = crate::shipped("photos").join("china.jpg");
        let batch = load(&photo, [3, 32, 24], false, &imagenet()).unwrap();
        assert_eq!(batch.dim(), (1, 3, 32, 24));
        assert!(batch.iter().all(|v| (-2.2..2.7).contains(v)));
        assert!(batch.std(0.0) > 0.1, "a photo is not one flat colour");
    }

    #[test]
    fn what_is_dark_becomes_bright() {
        let photo = crate::shipped("photos").join("china.jpg");
        let as_it_is = Normalize::new(&[0.0], &[1.0]).unwrap();
        let [photo, negative] = [false, true].map(|invert| load(&photo, [1, 28, 28], invert, &as_it_is).unwrap());
        assert!((photo + negative).iter().all(|sum| (sum - 1.0).abs() < 1e-6));
    }

    #[test]
    fn the_median_is_the_middle_time() {
        let mut times = [9, 1, 5, 2, 7].map(Duration::from_millis);
        assert_eq!(median(&mut times), Duration::from_millis(5));
        assert_eq!(median(&mut []), Duration::ZERO);
    }

    cnn! { Tiny <1x4x4> -> fc(2) }

    #[test]
    fn nothing_is_guessed_of_a_file_of_ours() {
        let (net, normalize) = (Tiny::new(1), Normalize::new(&[0.5], &[0.25]).unwrap());
        let said = Weights::from_bytes(Saver::new().normalize(&normalize).to_bytes(&net).unwrap()).unwrap();
        assert_eq!(normalize_of(&said).unwrap(), normalize);
        let error = normalize_of(&Weights::of(&net)).unwrap_err().0.to_string();
        assert!(error.starts_with("the file of Tiny does not say what pictures are normalised by"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let published = folder.path().join("published.safetensors");
        weights::write(&published, &BTreeMap::new(), &[]).unwrap();
        assert_eq!(normalize_of(&Weights::open(published).unwrap()).unwrap(), imagenet());
    }

    #[test]
    fn a_grey_picture_is_not_normalised_by_colours() {
        let photo = crate::shipped("photos").join("china.jpg");
        let error = load(&photo, [1, 28, 28], false, &imagenet()).unwrap_err().to_string();
        assert_eq!(error, "channels of the normalisation: expected 1, found 3");
    }

    #[test]
    fn a_missing_photo_is_named() {
        let error = load(Path::new("no-such-photo.jpg"), [3, 32, 32], false, &imagenet()).unwrap_err().to_string();
        assert!(error.contains("no-such-photo.jpg"), "{error}");
    }
}
