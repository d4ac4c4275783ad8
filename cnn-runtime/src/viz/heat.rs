//! Where in a picture a network looks.

use ndarray::{Array2, ArrayView2, ArrayView3, Axis};

use super::colour::Colours;
use super::picture::{Picture, Span};
use crate::error::Error;

/// How much a pixel matters: the largest absolute value over the channels of the gradient of a score by the input
/// (channels, height, width), as by Simonyan et al. (2013).
pub fn saliency(gradient: ArrayView3<'_, f32>) -> Array2<f32> {
    gradient.map_axis(Axis(0), |channels| channels.iter().fold(0.0f32, |most, value| most.max(value.abs())))
}

/// Lays a map of heat, stretched to the picture's size, over an image (1 or 3 channels, height, width). What is coldest
/// lets the image through, in grey; what is hottest glows. Heat that is not finite is as the coldest.
///
/// # Errors
/// [`Error::DataMismatch`] for an image that is no picture, or a map without values.
pub fn overlay(image: ArrayView3<'_, f32>, heat: ArrayView2<'_, f32>) -> Result<Picture, Error> {
    let photo = Picture::of_image(image, Span::of(image))?;
    if heat.is_empty() {
        let (what, expected, found) = ("heat", "at least one value".to_owned(), "none".to_owned());
        return Err(Error::DataMismatch { what, expected, found });
    }
    let span = Span::of(heat);
    let parts = heat.mapv(|value| if value.is_finite() && span.high > span.low { span.place(value) } else { 0.0 });
    let (height, width) = (photo.height(), photo.width());
    Picture::paint(height, width, |y, x| {
        let part = stretched(parts.view(), [y, x], [height, width]);
        let [r, g, b] = photo.pixel(y, x).map(f32::from);
        let grey = 0.299 * r + 0.587 * g + 0.114 * b;
        let glow = Colours::Inferno.at(part);
        // The colour takes over as the heat grows, and the picture stays visible where it is hottest.
        let cover = 0.15 + 0.6 * part;
        glow.map(|channel| (grey * (1.0 - cover) + f32::from(channel) * cover).round() as u8)
    })
}

/// The value of a map that is stretched to `size` at row and column `at`: bilinear, between centres of pixels.
fn stretched(map: ArrayView2<'_, f32>, at: [usize; 2], size: [usize; 2]) -> f32 {
    let dim = [map.nrows(), map.ncols()];
    let [(top, bottom, down), (left, right, across)] = [0, 1].map(|axis| {
        let place = (at[axis] as f32 + 0.5) * dim[axis] as f32 / size[axis] as f32 - 0.5;
        let place = place.clamp(0.0, (dim[axis] - 1) as f32);
        let low = place as usize;
        (low, (low + 1).min(dim[axis] - 1), place - low as f32)
    });
    let mix = |a: f32, b: f32, part: f32| a + (b - a) * part;
    mix(mix(map[[top, left]], map[[top, right]], across), mix(map[[bottom, left]], map[[bottom, right]], across), down)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, array};

    use super::*;

    #[test]
    fn a_pixel_matters_by_its_strongest_channel() {
        let gradient = array![[[1.0, f32::NAN]], [[-3.0, 0.5]], [[2.0, 0.0]]];
        assert_eq!(saliency(gradient.view()), array![[3.0, 0.5]]);
        assert_eq!(saliency(Array3::zeros((0, 2, 2)).view()), Array2::<f32>::zeros((2, 2)));
    }

    #[test]
    fn stretching_goes_through_the_values() {
        let map = array![[0.0, 1.0]];
        let row: Vec<f32> = (0..4).map(|x| stretched(map.view(), [0, x], [1, 4])).collect();
        assert_eq!(row, [0.0, 0.25, 0.75, 1.0]);
        assert_eq!(stretched(array![[7.0]].view(), [5, 9], [10, 10]), 7.0);
        let same = array![[1.0, 2.0], [3.0, 4.0]];
        assert_eq!(stretched(same.view(), [1, 0], [2, 2]), 3.0);
    }

    #[test]
    fn what_is_hot_glows() {
        let image = Array3::from_elem((1, 8, 8), 0.5);
        let picture = overlay(image.view(), array![[0.0, 1.0], [f32::NAN, 0.0]].view()).unwrap();
        let bright = |y, x| picture.pixel(y, x).iter().map(|&v| u32::from(v)).sum::<u32>();
        assert!(bright(0, 7) > bright(0, 0) && bright(7, 0) == bright(0, 0));
        assert!(overlay(image.view(), Array2::from_elem((3, 3), 2.0).view()).is_ok(), "even heat");
    }

    #[test]
    fn says_what_cannot_be_laid_over_what() {
        let image = Array3::zeros((1, 4, 4));
        assert!(overlay(image.view(), Array2::zeros((0, 3)).view()).is_err());
        assert!(overlay(Array3::zeros((2, 4, 4)).view(), Array2::zeros((3, 3)).view()).is_err());
    }
}
