//! What is inside a network, as small pictures: weights of a layer, and what layers make of a picture.

use ndarray::{ArrayView, ArrayView3, Axis, Dimension, Ix4, s};

use super::colour::Colours;
use super::picture::{Picture, Span};
use super::sheet::Sheet;
use super::svg::Figure;
use crate::error::Error;

/// Most filters, and most maps of a layer, that are shown unless told otherwise.
pub const MANY: usize = 64;
/// Most input channels of a filter that are shown side by side.
const CHANNELS: usize = 16;
/// Values to a row where a layer has no maps but single values.
const STRIP: usize = 64;
/// Side of a value in such a strip.
const VALUE: usize = 13;

/// Draws the filters of a convolution, `weight` being OIHW (output channels, input channels, kernel): in colour where
/// they look at three channels, else each channel by itself in blue (negative) to red (positive), with a row per filter
/// where there are several. All are on one scale around zero. At most `most` filters are shown.
///
/// # Errors
/// [`Error::DataMismatch`] if there is no weight, or the weights are not of a convolution.
pub fn filters<D: Dimension>(title: &str, weight: ArrayView<'_, f32, D>, most: usize) -> Result<Figure, Error> {
    let found = format!("{:?}", weight.shape());
    let weight = weight.into_dimensionality::<Ix4>().map_err(|_| Error::DataMismatch {
        what: "shape of the filters",
        expected: "output channels, input channels, height and width".into(),
        found,
    })?;
    let (out, channels, height, width) = weight.dim();
    let span = Span::around_zero(weight);
    let shown = out.min(most.max(1));
    let mut note = format!("{out} of {channels}x{height}x{width}, from {:.3} to {:.3}", span.low, span.high);
    if shown < out {
        note += &format!(", the first {shown} shown");
    }
    let mut sheet = Sheet::new(title);
    if channels == 1 || channels == 3 {
        sheet = sheet.band("", note).tile_size(48);
        for filter in weight.axis_iter(Axis(0)).take(shown) {
            sheet = sheet.tile(filter_picture(filter, span)?, &[]);
        }
    } else {
        let columns = channels.min(CHANNELS);
        if columns < channels {
            note += &format!(", {columns} channels of each");
        }
        sheet = sheet.band("", format!("{note}; a row per filter")).tile_size(36).columns(columns);
        for filter in weight.axis_iter(Axis(0)).take(shown) {
            for channel in filter.axis_iter(Axis(0)).take(columns) {
                sheet = sheet.tile(Picture::of_values(channel, span, Colours::Signed)?, &[]);
            }
        }
    }
    Ok(sheet.draw())
}

fn filter_picture(filter: ArrayView3<'_, f32>, span: Span) -> Result<Picture, Error> {
    match filter.dim().0 {
        3 => Picture::of_image(filter, span),
        _ => Picture::of_values(filter.index_axis(Axis(0), 0), span, Colours::Signed),
    }
}

/// Draws what layers make of a picture: for each, its name and its output (channels, height, width), of which at most
/// `most` maps are shown, each on a scale of its own. Layers without height and width are a strip of values.
///
/// # Errors
/// [`Error::DataMismatch`] for an output without values.
pub fn feature_maps<'a>(
    title: &str,
    layers: impl IntoIterator<Item = (&'a str, ArrayView3<'a, f32>)>,
    most: usize,
) -> Result<Figure, Error> {
    let mut sheet = Sheet::new(title);
    for (name, output) in layers {
        let (channels, height, width) = output.dim();
        if height == 1 && width == 1 {
            let span = Span::of(output);
            sheet = sheet.band(name, format!("{channels} values from {:.2} to {:.2}", span.low, span.high));
            sheet = sheet.tile_size(VALUE * channels.min(STRIP)).tile(strip(output)?, &[]);
            continue;
        }
        let shown = channels.min(most.max(1));
        let which = if shown < channels { format!(", the first {shown} shown") } else { String::new() };
        sheet = sheet.band(name, format!("{channels}x{height}x{width}{which}"));
        for map in output.axis_iter(Axis(0)).take(shown) {
            let Span { low, high } = Span::of(map);
            // A map that is the same everywhere is dark, not of some colour from the middle.
            let span = Span { low, high: if high > low { high } else { low + 1.0 } };
            sheet = sheet.tile(Picture::of_values(map, span, Colours::Viridis)?, &[]);
        }
    }
    Ok(sheet.draw())
}

/// Single values in rows of [`STRIP`].
fn strip(output: ArrayView3<'_, f32>) -> Result<Picture, Error> {
    let values = output.slice(s![.., 0, 0]);
    let (columns, rows) = (values.len().min(STRIP), values.len().div_ceil(STRIP));
    let span = Span::of(values);
    Picture::paint(rows, columns, |row, column| match values.get(row * STRIP + column) {
        Some(&value) => Colours::Viridis.at(span.place(value)),
        None => [128; 3],
    })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, Array4};

    use super::*;

    fn images(figure: &Figure) -> usize {
        figure.to_svg().matches("<image").count()
    }

    #[test]
    fn filters_are_tiles() {
        let weight =
            |o, i| Array4::from_shape_fn((o, i, 3, 5), |(o, i, h, w)| ((o + 2 * i + 3 * h + 5 * w) as f32).sin());
        let count = |o, i, most| images(&filters("conv1", weight(o, i).view(), most).unwrap());
        assert_eq!(count(6, 1, MANY), 6);
        assert_eq!(count(96, 3, MANY), 64);
        assert_eq!(count(5, 7, MANY), 35);
        assert_eq!(count(5, 40, 2), 2 * CHANNELS);
        let svg = filters("conv1", weight(96, 20).view(), 4).unwrap().to_svg();
        assert!(svg.contains("96 of 20x3x5, from -1.000 to 1.000, the first 4 shown, 16 channels of each"), "{svg}");
    }

    #[test]
    fn zero_is_white_and_in_the_middle() {
        let weight = Array4::from_shape_vec((1, 1, 1, 3), vec![-1.0, 0.0, 0.5]).unwrap();
        let picture = filter_picture(weight.index_axis(Axis(0), 0), Span::around_zero(&weight)).unwrap();
        assert_eq!(picture.pixel(0, 1), [0xf7; 3]);
        let [r, _, b] = picture.pixel(0, 2);
        assert!(r > b);
        assert_eq!(picture.pixel(0, 0), [0x21, 0x66, 0xac]);
    }

    #[test]
    fn every_layer_is_a_band() {
        let [maps, values] =
            [(70, 4, 6), (100, 1, 1)].map(|shape| Array3::from_shape_fn(shape, |(c, h, w)| (c + h * w) as f32));
        let one = Array3::from_elem((1, 1, 1), f32::NAN);
        let layers = [("conv1", maps.view()), ("fc1", values.view()), ("fc2", one.view())];
        let figure = feature_maps("A digit", layers, MANY).unwrap();
        assert_eq!(images(&figure), 64 + 2);
        let svg = figure.to_svg();
        assert!(svg.contains("70x4x6, the first 64 shown") && svg.contains("100 values from 0.00 to 99.00"), "{svg}");
    }

    #[test]
    fn nothing_to_show_is_an_error() {
        assert!(filters("none", Array4::zeros((0, 1, 3, 3)).view(), MANY).unwrap().to_svg().contains("0 of 1x3x3"));
        assert!(filters("none", Array4::zeros((2, 1, 0, 3)).view(), MANY).is_err());
        let error = filters("flat", ndarray::Array2::zeros((10, 84)).view(), MANY).unwrap_err().to_string();
        let expected = "expected output channels, input channels, height and width, found [10, 84]";
        assert_eq!(error, format!("shape of the filters: {expected}"));
        assert!(feature_maps("none", [("a", Array3::zeros((0, 1, 1)).view())], MANY).is_err());
        assert!(feature_maps("none", [], MANY).is_ok());
    }
}
