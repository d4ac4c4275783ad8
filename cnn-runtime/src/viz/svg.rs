//! Drawings of lines, boxes, text and pixels.

use std::fmt::{self, Display, Write};
use std::io::Write as _;
use std::path::Path;

use super::ink::Ink;
use super::picture::Picture;
use crate::atomic;
use crate::error::Error;

/// The font of every drawing; the last name is any font without serifs.
const FONT: &str = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', Arial, sans-serif";

/// A drawing: charts, tables of colours, graphs and sheets of small pictures, as SVG.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    title: String,
    width: f64,
    height: f64,
    body: String,
}

impl Figure {
    /// What the figure shows, for those who cannot see it.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (f64, f64) {
        (self.width, self.height)
    }

    /// The figure as an SVG file on white paper. It needs no other file.
    pub fn to_svg(&self) -> String {
        let paper = Ink::Paper.fill();
        let Figure { width, height, body, .. } = self;
        format!(
            "{}<rect {paper} width=\"{}\" height=\"{}\"/>\n{body}</svg>\n",
            self.open(),
            Number(*width),
            Number(*height)
        )
    }

    /// The figure as an element of a page, whose style sheet may set the colours of [`Ink`].
    pub(super) fn to_element(&self) -> String {
        format!("{}{}</svg>\n", self.open(), self.body)
    }

    fn open(&self) -> String {
        let (title, width, height) = (Escaped(&self.title), Number(self.width), Number(self.height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"{FONT}\" font-size=\"12\">\n<title>{title}</title>\n"
        )
    }

    /// The figure as PNG, with `scale` pixels for each of its own; text is set in the DejaVu Sans of this crate.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if a side would be 0 or above 65,535 pixels.
    #[cfg(feature = "png")]
    pub fn to_png(&self, scale: f32) -> Result<Vec<u8>, Error> {
        super::raster::png(&self.to_svg(), [self.width as f32, self.height as f32], scale)
    }

    /// Writes the figure to a file: SVG if its name ends in `.svg`; PNG, with two pixels for each of the figure's, if it
    /// ends in `.png` and the feature `png` is on.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for another ending, [`Error::Io`] if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("svg") => write_file(path, self.to_svg().as_bytes()),
            #[cfg(feature = "png")]
            Some("png") => write_file(path, &self.to_png(2.0)?),
            _ => {
                let expected = if cfg!(feature = "png") {
                    "a name that ends in .svg or .png"
                } else {
                    "a name that ends in .svg (the feature `png` adds .png)"
                };
                Err(Error::InvalidOption { option: "name of the figure", expected, found: path.display().to_string() })
            }
        }
    }
}

/// Writes a file in one piece: see [`atomic::replace`].
pub(super) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    atomic::replace(path, |file| file.write_all(bytes))
}

/// Where a text stands from its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text is set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Type {
    pub size: f64,
    pub bold: bool,
    pub ink: Ink,
    pub anchor: Anchor,
}

impl Type {
    pub const fn new(size: f64, ink: Ink, anchor: Anchor) -> Self {
        Type { size, bold: false, ink, anchor }
    }

    pub const fn bold(self) -> Self {
        Type { bold: true, ..self }
    }
}

/// A figure that is being drawn. Every call adds an element over those before it.
#[derive(Debug)]
pub(super) struct Canvas {
    figure: Figure,
}

impl Canvas {
    pub fn new(title: &str, width: f64, height: f64) -> Self {
        Canvas { figure: Figure { title: title.to_owned(), width, height, body: String::new() } }
    }

    pub fn done(self) -> Figure {
        self.figure
    }

    fn add(&mut self, element: fmt::Arguments<'_>) {
        self.figure.body.write_fmt(element).expect("a string takes any text");
        self.figure.body.push('\n');
    }

    /// A text whose base line goes through `(x, y)`.
    pub fn text(&mut self, x: f64, y: f64, set: Type, text: &str) {
        self.turned_text(x, y, 0.0, set, text);
    }

    /// A text that is turned around its point, by degrees clockwise.
    pub fn turned_text(&mut self, x: f64, y: f64, degrees: f64, set: Type, text: &str) {
        let anchor = match set.anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let weight = if set.bold { " font-weight=\"600\"" } else { "" };
        let (x, y, fill, size) = (Number(x), Number(y), set.ink.fill(), Number(set.size));
        let turn = if degrees == 0.0 { String::new() } else { format!(" transform=\"rotate({degrees} {x} {y})\"") };
        self.add(format_args!(
            "<text x=\"{x}\" y=\"{y}\" {fill} font-size=\"{size}\"{anchor}{weight}{turn}>{}</text>",
            Escaped(text)
        ));
    }

    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), ink: Ink) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(Number);
        self.add(format_args!("<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" {}/>", ink.stroke()));
    }

    /// A path in SVG's language, not filled.
    pub fn path(&mut self, data: &str, ink: Ink, width: f64) {
        self.add(format_args!(
            "<path d=\"{data}\" {} fill=\"none\" stroke-width=\"{}\" stroke-linejoin=\"round\" stroke-linecap=\"round\"/>",
            ink.stroke(),
            Number(width)
        ));
    }

    pub fn polygon(&mut self, points: &[(f64, f64)], ink: Ink) {
        let points: Vec<String> = points.iter().map(|&(x, y)| format!("{},{}", Number(x), Number(y))).collect();
        self.add(format_args!("<polygon points=\"{}\" {}/>", points.join(" "), ink.fill()));
    }

    pub fn dot(&mut self, x: f64, y: f64, radius: f64, ink: Ink) {
        self.add(format_args!(
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" {}/>",
            Number(x),
            Number(y),
            Number(radius),
            ink.fill()
        ));
    }

    /// A box with round corners; `more` are further attributes.
    pub fn rect(&mut self, area: Area, radius: f64, paint: &str) {
        let [x, y, w, h, r] = [area.x, area.y, area.width, area.height, radius].map(Number);
        self.add(format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{r}\" {paint}/>"));
    }

    /// A picture over `area`, each of its pixels a sharp square.
    pub fn picture(&mut self, area: Area, picture: &Picture) {
        let [x, y, w, h] = [area.x, area.y, area.width, area.height].map(Number);
        let data = picture.data_url();
        self.add(format_args!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" preserveAspectRatio=\"none\" \
             image-rendering=\"optimizeSpeed\" style=\"image-rendering:pixelated\" href=\"{data}\"/>"
        ));
    }

    /// Elements that `draw` adds, with a text that shows while the mouse is over them.
    pub fn hint(&mut self, text: &str, draw: impl FnOnce(&mut Self)) {
        self.add(format_args!("<g><title>{}</title>", Escaped(text)));
        draw(self);
        self.add(format_args!("</g>"));
    }
}

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Area {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// A length with two decimals at most. What is not finite, which no file may hold, is 0.
pub(super) struct Number(pub f64);

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.0.is_finite() { self.0 } else { 0.0 };
        // The sum turns a negative zero into a positive one.
        write!(f, "{}", (value * 100.0).round() / 100.0 + 0.0)
    }
}

/// A text as it may stand in SVG and HTML, in elements and in quotes.
pub(super) struct Escaped<'a>(pub &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // XML has no way to write these.
                control if control.is_control() && !matches!(control, '\n' | '\t') => f.write_char('\u{fffd}')?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// About how wide a text is; rather too wide than too narrow. What font will be there is not known, and those without
/// serifs differ little.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let width = |character: char| match character {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | 'I' => 0.32,
        ' ' | 'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '-' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.98,
        'A'..='Z' | '+' | '=' | '<' | '>' => 0.76,
        wide if wide > '\u{2e7f}' => 1.05,
        _ => 0.63,
    };
    text.chars().map(width).sum::<f64>() * size
}

/// `text`, cut and ended by an ellipsis if it is wider than `width`.
pub(super) fn fitted(text: &str, size: f64, width: f64) -> String {
    if text_width(text, size) <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    for character in text.chars() {
        short.push(character);
        if text_width(&short, size) + size > width {
            short.pop();
            break;
        }
    }
    short.trim_end().to_owned() + "\u{2026}"
}

#[cfg(test)]
mod tests {
    use std::{fs, io};

    use super::*;

    #[test]
    fn texts_cannot_leave_their_element() {
        let mut canvas = Canvas::new("a <b> & \"c\"", 10.0, 10.0);
        canvas.text(0.0, 0.0, Type::new(10.0, Ink::Text, Anchor::Start), "</text><script>'\u{0}");
        let svg = canvas.done().to_svg();
        assert!(svg.contains("<title>a &lt;b&gt; &amp; &quot;c&quot;</title>"), "{svg}");
        assert!(svg.contains("&lt;/text&gt;&lt;script&gt;&#39;\u{fffd}</text>"), "{svg}");
    }

    #[test]
    fn numbers_are_short_and_finite() {
        let texts: Vec<String> =
            [1.0, 0.125, -0.001, f64::NAN, f64::INFINITY, 1e6].iter().map(|&v| Number(v).to_string()).collect();
        assert_eq!(texts, ["1", "0.13", "0", "0", "0", "1000000"]);
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(fitted("sandal", 10.0, 100.0), "sandal");
        let short = fitted("an uncommonly long name of a class", 10.0, 100.0);
        assert!(short.ends_with('\u{2026}') && text_width(&short, 10.0) <= 100.0, "{short}");
        assert_eq!(fitted("abc", 10.0, 0.0), "\u{2026}");
    }

    #[test]
    fn the_name_decides_the_format() {
        let folder = tempfile::tempdir().unwrap();
        let figure = Canvas::new("nothing", 4.0, 3.0).done();
        figure.save(folder.path().join("a.svg")).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("a.svg")).unwrap(), figure.to_svg());
        // An old file is replaced, not written over: whoever has it open keeps it.
        let mut old = fs::File::open(folder.path().join("a.svg")).unwrap();
        Canvas::new("another", 4.0, 3.0).done().save(folder.path().join("a.svg")).unwrap();
        assert_eq!(io::read_to_string(&mut old).unwrap(), figure.to_svg());
        let error = figure.save(folder.path().join("a.gif")).unwrap_err().to_string();
        assert!(error.contains("a.gif, expected a name that ends in .svg"), "{error}");
        assert!(matches!(figure.save(folder.path().join("no/a.svg")), Err(Error::Io { .. })));
    }
}
