//! What the layers of a network make of a picture, and where in it they find a class.

use ndarray::{Array2, ArrayView3, ArrayViewD, Axis, Ix3};

use super::heat::{overlay, saliency};
use super::maps::feature_maps;
use super::picture::{Picture, Span};
use super::sheet::Sheet;
use super::svg::Figure;
use crate::error::Error;
use crate::info::LayerInfo;
use crate::inspect::Inspection;

/// Draws what each layer makes of sample `sample` of a batch, layer by layer, at most `most` maps of each. A layer that
/// leaves all values as they are shares the maps of the one before it.
///
/// # Errors
/// [`Error::DataMismatch`] if the batch has no such sample.
pub fn layer_maps(title: &str, found: &Inspection, sample: usize, most: usize) -> Result<Figure, Error> {
    let mut layers: Vec<(String, ArrayView3<'_, f32>)> = Vec::with_capacity(found.layers().len());
    for layer in found.layers() {
        let output = sample_of(found.output(layer.name)?, sample)?;
        match layers.last_mut() {
            Some((name, before)) if *before == output => *name += &format!(" -> {}", layer.text),
            _ => layers.push((format!("{} = {}", layer.name, layer.text), output)),
        }
    }
    feature_maps(title, layers.iter().map(|(name, output)| (name.as_str(), *output)), most)
}

/// How much each pixel of sample `sample` matters for the score of the class that was asked for: [`saliency`] of the
/// gradient by the input.
///
/// # Errors
/// [`Error::NoGradient`] unless [`inspect_class`](crate::Network::inspect_class) made `found`, [`Error::DataMismatch`] if
/// the batch has no such sample.
pub fn saliency_map(found: &Inspection, sample: usize) -> Result<Array2<f32>, Error> {
    let gradient = found.input_gradient();
    let gradient = gradient.ok_or_else(|| found.without_class("input"))?;
    Ok(saliency(sample_of(gradient, sample)?))
}

/// Where the maps of `layer` speak for the class that was asked for, in the layer's height and width: the sum of the
/// maps, each weighted by the mean of its gradient, where it is positive (Grad-CAM; Selvaraju et al. 2017).
/// [`last_maps`] is the layer that is usually asked for.
///
/// # Errors
/// [`Error::UnknownLayer`] if there is no such layer; [`Error::NoGradient`] unless
/// [`inspect_class`](crate::Network::inspect_class) made `found`; [`Error::DataMismatch`] if the batch has no such sample.
pub fn grad_cam(found: &Inspection, layer: &str, sample: usize) -> Result<Array2<f32>, Error> {
    let (output, gradient) = (found.output(layer)?, found.gradient(layer)?);
    let (maps, slopes) = (sample_of(output, sample)?, sample_of(gradient, sample)?);
    let (_, height, width) = maps.dim();
    let mut sum = Array2::<f32>::zeros((height, width));
    for (map, slope) in maps.outer_iter().zip(slopes.outer_iter()) {
        sum.scaled_add(slope.mean().unwrap_or(0.0), &map);
    }
    Ok(sum.mapv_into(|value| value.max(0.0)))
}

/// The last layer with maps of more than one pixel, from which places in the picture can be told, and with a gradient.
/// None unless [`inspect_class`](crate::Network::inspect_class) made `found`.
pub fn last_maps(found: &Inspection) -> Option<&'static str> {
    let suits =
        |layer: &&LayerInfo| matches!(layer.output, [_, h, w] if h * w > 1) && found.gradient(layer.name).is_ok();
    found.layers().iter().rev().find(suits).map(|layer| layer.name)
}

/// Draws sample `sample` of a batch beside where the network finds the class that was asked for: its saliency, and
/// Grad-CAM of [`last_maps`] where there is such a layer. `image` is the sample: 1 or 3 channels, height, width.
///
/// # Errors
/// As of [`saliency_map`] and [`overlay`].
pub fn look(title: &str, image: ArrayView3<'_, f32>, found: &Inspection, sample: usize) -> Result<Figure, Error> {
    let picture = Picture::of_image(image, Span::of(image))?;
    let matters = overlay(image, saliency_map(found, sample)?.view())?;
    let sheet = Sheet::new(title).band("", "the brighter, the more it speaks for the class").tile_size(224);
    let mut sheet = sheet.tile(picture, &["the picture"]).tile(matters, &["saliency: pixels that matter"]);
    if let Some(layer) = last_maps(found) {
        let speaks = overlay(image, grad_cam(found, layer, sample)?.view())?;
        sheet = sheet.tile(speaks, &[&format!("Grad-CAM of {layer}")]);
    }
    Ok(sheet.draw())
}

/// One sample of a batch as maps; single values are maps of one pixel.
fn sample_of(batch: ArrayViewD<'_, f32>, sample: usize) -> Result<ArrayView3<'_, f32>, Error> {
    let samples = batch.shape().first().copied().unwrap_or(0);
    if sample >= samples {
        let (what, expected) = ("number of a sample", format!("below {samples}, the size of the batch"));
        return Err(Error::DataMismatch { what, expected, found: sample.to_string() });
    }
    let mut one = batch.index_axis_move(Axis(0), sample);
    while one.ndim() < 3 {
        let end = Axis(one.ndim());
        one = one.insert_axis(end);
    }
    let shape = format!("{:?}", one.shape());
    one.into_dimensionality::<Ix3>().map_err(|_| Error::DataMismatch {
        what: "shape of a layer's output",
        expected: "[c, h, w] or [features]".into(),
        found: shape,
    })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array4, s};

    use super::*;
    use crate::network::Network;

    crate::cnn! {
        Net <1x8x10> -> conv(3, 3x3, p1) -> relu -> pool(2, s2) -> fc(4)
    }

    fn batch() -> Array4<f32> {
        Array4::from_shape_fn((2, 1, 8, 10), |(n, _, y, x)| ((n * 80 + y * 10 + x) as f32).sin())
    }

    #[test]
    fn every_layer_is_drawn() {
        let net = Net::new(3);
        let found = net.inspect(batch().view()).unwrap();
        let svg = layer_maps("Layers", &found, 1, 2).unwrap().to_svg();
        for layer in Net::INFO.layers {
            assert!(svg.contains(layer.text), "{} in {svg}", layer.name);
        }
        let bands = Net::INFO.layers.iter().filter(|layer| svg.contains(&format!(">{} = ", layer.name))).count();
        assert_eq!(svg.matches("<image").count(), 2 * (bands - 1) + 1, "two maps of each, and a strip of scores");
        assert!(matches!(layer_maps("Layers", &found, 2, 2), Err(Error::DataMismatch { .. })));
    }

    #[test]
    fn grad_cam_is_the_positive_part_of_the_weighted_maps() {
        let net = Net::new(3);
        let found = net.inspect_class(batch().view(), 2).unwrap();
        let cam = grad_cam(&found, "pool1", 1).unwrap();
        let (maps, slopes) = (found.output("pool1").unwrap(), found.gradient("pool1").unwrap());
        for ((y, x), &value) in cam.indexed_iter() {
            let weighted = |c: usize| slopes.slice(s![1, c, .., ..]).mean().unwrap() * maps[[1, c, y, x]];
            let sum: f32 = (0..3).map(weighted).sum();
            assert!((value - sum.max(0.0)).abs() < 1e-5, "{value} and {sum} at {y}, {x}");
        }
        assert_eq!(cam.dim(), (4, 5));
        assert!(cam.iter().any(|&value| value > 0.0));
    }

    #[test]
    fn saliency_is_the_change_of_the_score() {
        let (net, mut batch) = (Net::new(3), batch());
        let found = net.inspect_class(batch.view(), 2).unwrap();
        let map = saliency_map(&found, 0).unwrap();
        let mut score = |value: f32| {
            batch[[0, 0, 4, 5]] = value;
            net.forward_batch(&mut net.workspace(2), batch.view()).unwrap()[[0, 2]]
        };
        let (here, step) = ((4.0f32 * 10.0 + 5.0).sin(), 1e-3);
        let slope = ((score(here + step) - score(here - step)) / (2.0 * step)).abs();
        assert!((map[[4, 5]] - slope).abs() < 2e-2 * slope.max(0.1), "{} and {slope}", map[[4, 5]]);
    }

    #[test]
    fn a_look_shows_the_picture_and_both_maps() {
        let net = Net::new(3);
        let batch = batch();
        let image = batch.index_axis(Axis(0), 0);
        let found = net.inspect_class(batch.view(), 0).unwrap();
        let svg = look("A look", image, &found, 0).unwrap().to_svg();
        assert_eq!(svg.matches("<image").count(), 3);
        assert!(svg.contains("Grad-CAM of pool1"), "{svg}");
        let without = net.inspect(batch.view()).unwrap();
        assert!(matches!(look("A look", image, &without, 0), Err(Error::NoGradient { .. })));
        assert!(matches!(grad_cam(&found, "conv9", 0), Err(Error::UnknownLayer { .. })));
        assert_eq!((last_maps(&found), last_maps(&without)), (Some("pool1"), None));
    }

    crate::cnn! {
        Shared <1x8x10>
            -> conv(3, 3x3, p1) -> reshape(3x10x8) -> add(conv(2, 1x1), conv(2, 1x1)) -> reshape(2x8x10) -> fc(4)
    }

    #[test]
    fn a_look_passes_over_layers_that_have_no_gradient_of_their_own() {
        let (net, batch) = (Shared::new(3), batch());
        let found = net.inspect_class(batch.view(), 0).unwrap();
        assert!(found.gradient("add1").is_err() && found.gradient("reshape2").is_err());
        assert_eq!(last_maps(&found), Some("conv3"));
        look("A look", batch.index_axis(Axis(0), 0), &found, 0).unwrap();
    }
}
