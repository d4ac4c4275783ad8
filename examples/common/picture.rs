//! Photos as network inputs.

use std::path::Path;

use image::imageops::FilterType;
use ndarray::{Array4, ArrayView1, ArrayViewMut3, Axis};

/// Mean of each colour over ImageNet's training photos, which published networks subtract.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of each colour over ImageNet's training photos.
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// Reads a photo into a batch of one, `[1, 3, size, size]`: the shorter side is scaled to `size`, the middle is cut
/// out, and each colour is normalised as ImageNet's networks expect.
///
/// # Errors
///
/// When the file cannot be read or is not a picture; the message names it.
pub fn load(path: &Path, size: usize) -> Result<Array4<f32>, String> {
    let picture = image::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let square = picture.resize_to_fill(size as u32, size as u32, FilterType::Triangle).to_rgb8();
    let mut batch = Array4::zeros((1, 3, size, size));
    fill(batch.index_axis_mut(Axis(0), 0), &square);
    Ok(batch)
}

/// The `k` classes of the highest scores with their softmax probabilities, the highest first.
pub fn top(scores: ArrayView1<'_, f32>, k: usize) -> Vec<(usize, f32)> {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f32 = scores.iter().map(|s| (s - highest).exp()).sum();
    let mut classes: Vec<_> = scores.iter().map(|s| (s - highest).exp() / total).enumerate().collect();
    classes.sort_by(|a, b| b.1.total_cmp(&a.1));
    classes.truncate(k);
    classes
}

fn fill(mut planes: ArrayViewMut3<'_, f32>, square: &image::RgbImage) {
    for (x, y, pixel) in square.enumerate_pixels() {
        for c in 0..3 {
            let value = f32::from(pixel.0[c]) / 255.0;
            planes[[c, y as usize, x as usize]] = (value - IMAGENET_MEAN[c]) / IMAGENET_STD[c];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shipped_photo_fills_the_batch_with_normalised_colours() {
        let photo = crate::shipped("photos").join("china.jpg");
        let batch = load(&photo, 32).unwrap();
        assert_eq!(batch.dim(), (1, 3, 32, 32));
        assert!(batch.iter().all(|v| (-2.2..2.7).contains(v)));
        assert!(batch.std(0.0) > 0.1, "a photo is not one flat colour");
    }

    #[test]
    fn top_classes_come_with_their_probabilities() {
        let scores = ndarray::array![0.0, 2.0f32.ln(), 0.0];
        let best = top(scores.view(), 2);
        assert_eq!((best[0].0, best[1].0), (1, 0));
        assert!((best[0].1 - 0.5).abs() < 1e-6 && (best[1].1 - 0.25).abs() < 1e-6);
    }

    #[test]
    fn a_missing_photo_is_named() {
        let error = load(Path::new("no-such-photo.jpg"), 32).unwrap_err();
        assert!(error.contains("no-such-photo.jpg"), "{error}");
    }
}
