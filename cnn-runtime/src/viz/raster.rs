//! Drawings as pixels.

use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use crate::error::Error;

/// Renders an SVG file of `size`, with `scale` pixels for each of its own, to a PNG file.
pub(super) fn png(svg: &str, size: [f32; 2], scale: f32) -> Result<Vec<u8>, Error> {
    let [width, height] = size.map(|side| (side * scale).ceil());
    let sides = 1.0..=f32::from(u16::MAX);
    let pixmap =
        if sides.contains(&width) && sides.contains(&height) { Pixmap::new(width as u32, height as u32) } else { None };
    let Some(mut pixmap) = pixmap else {
        return Err(Error::InvalidOption {
            option: "size of the picture in pixels",
            expected: "sides from 1 to 65535",
            found: format!("{width} x {height}"),
        });
    };
    let broken = |reason: String| Error::Format { path: None, reason };
    let tree = Tree::from_str(svg, &options()).map_err(|error| broken(error.to_string()))?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|error| broken(error.to_string()))
}

/// Text in fonts that come with this crate: the system's may be any or none.
fn options() -> Options<'static> {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    fonts.load_font_data(dejavu::sans::bold().to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    Options { fontdb: Arc::new(fonts), font_family: "DejaVu Sans".into(), ..Options::default() }
}

#[cfg(test)]
mod tests {
    use crate::error::Error;
    use crate::viz::ink::Ink;
    use crate::viz::svg::{Anchor, Canvas, Type};

    #[test]
    fn text_and_colours_become_pixels() {
        let mut canvas = Canvas::new("a word", 60.0, 20.0);
        canvas.text(30.0, 14.0, Type::new(12.0, Ink::Text, Anchor::Middle), "word");
        let png = canvas.done().to_png(2.0).unwrap();
        let pixels = image::load_from_memory(&png).unwrap().into_rgb8();
        assert_eq!(pixels.dimensions(), (120, 40));
        assert_eq!(pixels.get_pixel(0, 0).0, [255; 3]);
        let dark = pixels.pixels().filter(|pixel| pixel.0[0] < 100).count();
        assert!((100..1500).contains(&dark), "{dark} dark pixels");
    }

    #[test]
    fn a_picture_has_some_pixels_and_not_too_many() {
        let figure = Canvas::new("nothing", 10.0, 10.0).done();
        for scale in [0.0, -1.0, f32::NAN, 1e6] {
            assert!(matches!(figure.to_png(scale), Err(Error::InvalidOption { .. })), "{scale}");
        }
    }
}
