//! Pixels.

use std::borrow::Cow;
use std::io::Cursor;
use std::path::Path;

use base64::Engine;
use image::{ImageFormat, Rgb, RgbImage, imageops};
use ndarray::{ArrayView2, ArrayView3};

use super::colour::Colours;
use super::svg::write_file;
use crate::error::Error;

/// A picture of red, green and blue pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pixels: RgbImage,
}

/// The values that stand for the darkest and for the brightest pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// The value of the first colour.
    pub low: f32,
    /// The value of the last colour.
    pub high: f32,
}

impl Span {
    /// From 0 to 1, as data sets are read.
    pub const UNIT: Span = Span { low: 0.0, high: 1.0 };

    /// From the least to the greatest of the finite values; from 0 to 1 if there are none.
    pub fn of<'a>(values: impl IntoIterator<Item = &'a f32>) -> Self {
        let finite = values.into_iter().filter(|value| value.is_finite());
        let start = (f32::INFINITY, f32::NEG_INFINITY);
        let (low, high) = finite.fold(start, |(low, high), &value| (low.min(value), high.max(value)));
        if low <= high { Span { low, high } } else { Span::UNIT }
    }

    /// As wide as the finite values need, with zero in the middle.
    pub fn around_zero<'a>(values: impl IntoIterator<Item = &'a f32>) -> Self {
        let Span { low, high } = Span::of(values);
        let reach = high.max(-low);
        Span { low: -reach, high: reach }
    }

    /// Where `value` lies, from 0 to 1. In the middle, if all values are the same.
    pub fn place(self, value: f32) -> f32 {
        // Halves, because the distance of two numbers can be too large for a number.
        let width = self.high * 0.5 - self.low * 0.5;
        if width > 0.0 { (value * 0.5 - self.low * 0.5) / width } else { 0.5 }
    }
}

impl Picture {
    /// Values (height, width) as `colours` show them. Values that are not numbers are as the lowest.
    ///
    /// # Errors
    /// [`Error::DataMismatch`] if there is no pixel, or a side is above 65,535.
    pub fn of_values(values: ArrayView2<'_, f32>, span: Span, colours: Colours) -> Result<Self, Error> {
        let (h, w) = values.dim();
        Self::paint(h, w, |y, x| colours.at(span.place(values[[y, x]])))
    }

    /// An image of 1 channel, shown in grey, or 3 (red, green, blue), height and width.
    ///
    /// # Errors
    /// [`Error::DataMismatch`] for another number of channels, if there is no pixel, or a side is above 65,535.
    pub fn of_image(image: ArrayView3<'_, f32>, span: Span) -> Result<Self, Error> {
        let (c, h, w) = image.dim();
        let byte = |channel: usize, y: usize, x: usize| Colours::Grey.at(span.place(image[[channel, y, x]]))[0];
        match c {
            1 => Self::paint(h, w, |y, x| [byte(0, y, x); 3]),
            3 => Self::paint(h, w, |y, x| [0, 1, 2].map(|channel| byte(channel, y, x))),
            _ => Err(Error::DataMismatch {
                what: "channels of a picture",
                expected: "1 or 3".into(),
                found: c.to_string(),
            }),
        }
    }

    /// A picture whose pixel at row `y` and column `x` is `pixel(y, x)`.
    pub(super) fn paint(height: usize, width: usize, pixel: impl Fn(usize, usize) -> [u8; 3]) -> Result<Self, Error> {
        let sides = 1..=usize::from(u16::MAX);
        if !sides.contains(&height) || !sides.contains(&width) {
            let (what, expected) = ("height and width of a picture", "from 1 to 65535".to_owned());
            return Err(Error::DataMismatch { what, expected, found: format!("{height} x {width}") });
        }
        let paint = |x: u32, y: u32| Rgb(pixel(y as usize, x as usize));
        Ok(Picture { pixels: RgbImage::from_fn(width as u32, height as u32, paint) })
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.pixels.width() as usize
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.pixels.height() as usize
    }

    /// Red, green and blue at row `y` and column `x`.
    ///
    /// # Panics
    /// If the picture has no such pixel.
    pub fn pixel(&self, y: usize, x: usize) -> [u8; 3] {
        self.pixels.get_pixel(x as u32, y as u32).0
    }

    /// The picture with its longer side made `longest` pixels, or itself if it is no larger.
    pub(super) fn shrunk(&self, longest: u32) -> Cow<'_, Self> {
        let (width, height) = self.pixels.dimensions();
        let factor = f64::from(longest) / f64::from(width.max(height));
        if factor >= 1.0 {
            return Cow::Borrowed(self);
        }
        let [width, height] = [width, height].map(|side| ((f64::from(side) * factor).round() as u32).max(1));
        Cow::Owned(Picture { pixels: imageops::thumbnail(&self.pixels, width, height) })
    }

    /// The picture as a PNG file.
    pub fn to_png(&self) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        // A vector takes all that is written, and every picture has pixels.
        self.pixels.write_to(&mut file, ImageFormat::Png).expect("pixels in memory can be encoded");
        file.into_inner()
    }

    /// The picture as PNG inside the address of an image.
    pub(super) fn data_url(&self) -> String {
        format!("data:image/png;base64,{}", base64::engine::general_purpose::STANDARD.encode(self.to_png()))
    }

    /// Writes the picture to a file, as PNG.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        write_file(path.as_ref(), &self.to_png())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array3, array};

    use super::*;

    #[test]
    fn spans_pass_over_what_is_not_finite() {
        let values = [f32::NAN, -2.0, 6.0, f32::INFINITY];
        let span = Span::of(&values);
        assert_eq!(span, Span { low: -2.0, high: 6.0 });
        assert_eq!((span.place(-2.0), span.place(2.0), span.place(6.0)), (0.0, 0.5, 1.0));
        assert_eq!(Span::around_zero(&values), Span { low: -6.0, high: 6.0 });
        assert_eq!(Span::of(&[f32::NAN]), Span::UNIT);
        assert_eq!(Span::of(&[3.0, 3.0]).place(3.0), 0.5);
        assert_eq!(Span { low: f32::MIN, high: f32::MAX }.place(0.0), 0.5);
    }

    #[test]
    fn pixels_stand_at_their_rows_and_columns() {
        let values = array![[0.0, 1.0, 0.0], [0.0, 0.0, 0.5]];
        let picture = Picture::of_values(values.view(), Span::UNIT, Colours::Grey).unwrap();
        assert_eq!((picture.height(), picture.width()), (2, 3));
        assert_eq!((picture.pixel(0, 1), picture.pixel(1, 2), picture.pixel(1, 1)), ([255; 3], [128; 3], [0; 3]));
        let mut colour = Array3::zeros((3, 1, 2));
        colour[[1, 0, 1]] = 1.0;
        let picture = Picture::of_image(colour.view(), Span::UNIT).unwrap();
        assert_eq!((picture.pixel(0, 0), picture.pixel(0, 1)), ([0; 3], [0, 255, 0]));
    }

    #[test]
    fn a_file_holds_the_pixels() {
        let values = Array2::from_shape_fn((5, 7), |(y, x)| (y * 7 + x) as f32 / 34.0);
        let picture = Picture::of_values(values.view(), Span::UNIT, Colours::Viridis).unwrap();
        let read = image::load_from_memory(&picture.to_png()).unwrap().into_rgb8();
        assert_eq!(Picture { pixels: read }, picture);
    }

    #[test]
    fn large_pictures_are_shrunk_and_small_ones_left() {
        let picture = Picture::paint(30, 90, |y, x| [(y * 8) as u8, (x * 2) as u8, 7]).unwrap();
        let small = picture.shrunk(9);
        assert_eq!((small.height(), small.width(), small.pixel(0, 0)[2]), (3, 9, 7));
        assert_eq!(picture.shrunk(90).as_ref(), &picture);
    }

    #[test]
    fn says_what_cannot_be_a_picture() {
        let message = |shape| Picture::of_image(Array3::zeros(shape).view(), Span::UNIT).unwrap_err().to_string();
        assert_eq!(message((2, 4, 4)), "channels of a picture: expected 1 or 3, found 2");
        assert_eq!(message((1, 0, 4)), "height and width of a picture: expected from 1 to 65535, found 0 x 4");
    }
}
