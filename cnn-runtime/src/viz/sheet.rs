//! Small pictures side by side.

use super::ink::Ink;
use super::picture::Picture;
use super::svg::{Anchor, Area, Canvas, Figure, Type, fitted, text_width};

const MARGIN: f64 = 16.0;
const GAP: f64 = 8.0;
/// Where the first band begins.
const TOP: f64 = 34.0;
const LEADING: f64 = 15.0;
const TITLE: Type = Type::new(14.0, Ink::Text, Anchor::Start).bold();
const HEADING: Type = Type::new(13.0, Ink::Text, Anchor::Start).bold();
const NOTE: Type = Type::new(12.0, Ink::Soft, Anchor::Start);
const CAPTION: Type = Type::new(11.0, Ink::Soft, Anchor::Middle);

/// Small pictures in rows, with captions, in bands that have headings: filters, feature maps, samples.
///
/// ```
/// use cnn_runtime::ndarray::Array3;
/// use cnn_runtime::viz::{Picture, Sheet, Span};
///
/// let black = Picture::of_image(Array3::zeros((1, 8, 8)).view(), Span::UNIT)?;
/// let figure = Sheet::new("Samples").band("black ones", "8x8").tile(black, &["is 0", "taken for 1"]).draw();
/// figure.to_svg();
/// # Ok::<(), cnn_runtime::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sheet {
    title: String,
    width: f64,
    bands: Vec<Band>,
}

#[derive(Clone, Debug)]
struct Band {
    /// How long the longer side of each picture is, about.
    size: f64,
    heading: String,
    note: String,
    tiles: Vec<Tile>,
    /// Tiles to a row; as many as have room, if not said.
    columns: Option<usize>,
}

#[derive(Clone, Debug)]
struct Tile {
    picture: Picture,
    caption: Vec<String>,
}

impl Sheet {
    /// A sheet without pictures, 880 pixels wide at most, with pictures of about 64.
    pub fn new(title: impl Into<String>) -> Self {
        Sheet { title: title.into(), width: 880.0, bands: Vec::new() }
    }

    /// How long the longer side of each picture of the last band is, about: pixels of a picture are squares of whole
    /// pixels, unless the picture has more pixels than this.
    #[must_use]
    pub fn tile_size(mut self, size: usize) -> Self {
        self.last().size = size.max(1) as f64;
        self
    }

    /// Begins a band: what follows stands under this heading, with a note beside it.
    #[must_use]
    pub fn band(mut self, heading: impl Into<String>, note: impl Into<String>) -> Self {
        self.bands.push(Band::new(heading.into(), note.into()));
        self
    }

    /// Ends the rows of the last band after so many pictures, if they have room.
    #[must_use]
    pub fn columns(mut self, columns: usize) -> Self {
        self.last().columns = Some(columns.max(1));
        self
    }

    /// Adds a picture to the last band, with lines of text below it.
    #[must_use]
    pub fn tile(mut self, picture: Picture, caption: &[&str]) -> Self {
        let caption = caption.iter().map(|&line| line.to_owned()).collect();
        self.last().tiles.push(Tile { picture, caption });
        self
    }

    fn last(&mut self) -> &mut Band {
        if self.bands.is_empty() {
            self.bands.push(Band::new(String::new(), String::new()));
        }
        self.bands.last_mut().expect("there is one now")
    }

    /// Draws the sheet.
    pub fn draw(&self) -> Figure {
        let grids: Vec<Grid> = self.bands.iter().map(|band| Grid::of(band, self.width - 2.0 * MARGIN)).collect();
        let widest = grids.iter().map(|grid| grid.width).fold(text_width(&self.title, 15.0), f64::max);
        let headings =
            self.bands.iter().map(|band| text_width(&band.heading, 14.0) + text_width(&band.note, 12.0) + 12.0);
        let width =
            (headings.fold(widest, f64::max) + 2.0 * MARGIN).clamp(240.0, self.width.max(widest + 2.0 * MARGIN));
        let height = TOP + grids.iter().map(|grid| grid.height).sum::<f64>() + MARGIN;
        let mut canvas = Canvas::new(&self.title, width, height);
        canvas.text(MARGIN, 26.0, TITLE, &fitted(&self.title, 15.0, width - 2.0 * MARGIN));
        let mut top = TOP;
        for (band, grid) in self.bands.iter().zip(&grids) {
            grid.draw(&mut canvas, band, top, width);
            top += grid.height;
        }
        canvas.done()
    }
}

impl Band {
    fn new(heading: String, note: String) -> Self {
        Band { size: 64.0, heading, note, tiles: Vec::new(), columns: None }
    }
}

/// How the tiles of a band lie.
struct Grid {
    columns: usize,
    /// Places of tiles, captions included.
    cell: (f64, f64),
    /// Pixels of the figure for one of a picture.
    scales: Vec<f64>,
    header: f64,
    width: f64,
    height: f64,
}

impl Grid {
    fn of(band: &Band, room: f64) -> Self {
        let scales: Vec<f64> = band.tiles.iter().map(|tile| scale(&tile.picture, band.size, room)).collect();
        let sizes = || {
            band.tiles
                .iter()
                .zip(&scales)
                .map(|(tile, scale)| (tile.picture.width() as f64 * scale, tile.picture.height() as f64 * scale))
        };
        let lines = band.tiles.iter().map(|tile| tile.caption.len()).max().unwrap_or(0);
        let caption = band.tiles.iter().flat_map(|tile| &tile.caption).map(|line| text_width(line, CAPTION.size));
        // A caption may make its place half as wide again as the picture; longer ones are cut.
        let picture = sizes().map(|size| size.0).fold(1.0, f64::max);
        let wide = caption.fold(picture, f64::max).min((picture * 1.5).max(72.0)).max(picture);
        let captions = if lines == 0 { 0.0 } else { lines as f64 * LEADING + 4.0 };
        let tall = sizes().map(|size| size.1).fold(0.0, f64::max) + captions;
        let fit = (((room + GAP) / (wide + GAP)) as usize).max(1);
        let columns = band.columns.unwrap_or(fit).min(fit).min(band.tiles.len().max(1));
        let rows = band.tiles.len().div_ceil(columns);
        let header = if band.heading.is_empty() && band.note.is_empty() { 0.0 } else { 28.0 };
        Grid {
            columns,
            cell: (wide, tall),
            scales,
            header,
            width: columns as f64 * (wide + GAP) - GAP,
            height: header + rows as f64 * (tall + GAP) + 4.0,
        }
    }

    fn draw(&self, canvas: &mut Canvas, band: &Band, top: f64, width: f64) {
        if self.header > 0.0 {
            canvas.text(MARGIN, top + 18.0, HEADING, &band.heading);
            let beside = if band.heading.is_empty() { 0.0 } else { text_width(&band.heading, 14.0) + 10.0 };
            let room = width - 2.0 * MARGIN - beside;
            canvas.text(MARGIN + beside, top + 18.0, NOTE, &fitted(&band.note, NOTE.size, room));
        }
        for (index, (tile, scale)) in band.tiles.iter().zip(&self.scales).enumerate() {
            let x = MARGIN + (index % self.columns) as f64 * (self.cell.0 + GAP);
            let y = top + self.header + (index / self.columns) as f64 * (self.cell.1 + GAP);
            let (width, height) = (tile.picture.width() as f64 * scale, tile.picture.height() as f64 * scale);
            let area = Area { x: x + (self.cell.0 - width) / 2.0, y, width, height };
            // Two pixels for one of the drawing are enough for any screen.
            canvas.picture(area, &tile.picture.shrunk(2 * width.max(height).ceil() as u32));
            canvas.rect(area, 0.0, &format!("{} fill=\"none\"", Ink::Grid.stroke()));
            for (line, text) in tile.caption.iter().enumerate() {
                let y = y + height + 14.0 + line as f64 * LEADING;
                canvas.text(x + self.cell.0 / 2.0, y, CAPTION, &fitted(text, CAPTION.size, self.cell.0 + 4.0));
            }
        }
    }
}

/// Pixels of the figure for one of the picture: a whole number if the picture is smaller than `size`.
fn scale(picture: &Picture, size: f64, room: f64) -> f64 {
    let longest = picture.width().max(picture.height()) as f64;
    let scale = if longest <= size { (size / longest).floor() } else { size / longest };
    scale.min(room / picture.width() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(height: usize, width: usize) -> Picture {
        Picture::paint(height, width, |_, _| [9, 9, 9]).unwrap()
    }

    /// The numbers of an attribute over all elements of a name.
    fn attributes(svg: &str, element: &str, name: &str) -> Vec<f64> {
        let (element, name) = (format!("<{element} "), format!("{name}=\""));
        let values = svg.split(&element).skip(1).map(|text| text.split_once(&name).unwrap().1);
        values.map(|text| text.split_once('"').unwrap().0.parse().unwrap()).collect()
    }

    #[test]
    fn tiles_stand_in_rows_and_do_not_touch() {
        let mut sheet = Sheet::new("Tiles").band("one", "thirty of them");
        for index in 0..30 {
            sheet = sheet.tile(picture(7, 5), &[&format!("tile {index}")]);
        }
        let figure = sheet.draw();
        let svg = figure.to_svg();
        let (x, y) = (attributes(&svg, "image", "x"), attributes(&svg, "image", "y"));
        let (w, h) = (attributes(&svg, "image", "width"), attributes(&svg, "image", "height"));
        assert_eq!((x.len(), w[0], h[0]), (30, 45.0, 63.0), "nine pixels for one");
        for a in 0..30 {
            assert!(x[a] >= 0.0 && x[a] + w[a] <= figure.size().0 && y[a] + h[a] <= figure.size().1);
            for b in 0..a {
                let beside = x[a] >= x[b] + w[b] || x[b] >= x[a] + w[a];
                let below = y[a] >= y[b] + h[b] || y[b] >= y[a] + h[a];
                assert!(beside || below, "{a} and {b} overlap");
            }
        }
    }

    #[test]
    fn columns_and_size_can_be_set() {
        let sheet = (0..6).fold(Sheet::new("").tile_size(16).columns(3), |sheet, _| sheet.tile(picture(8, 8), &[]));
        let y = attributes(&sheet.draw().to_svg(), "image", "y");
        assert_eq!((y[0], y[1], y[2]), (y[2], y[0], y[1]));
        assert!(y[3] > y[2] && y[3] == y[5]);
    }

    #[test]
    fn large_small_and_no_pictures_fit() {
        let figure = Sheet::new("All").tile(picture(1, 1), &["one"]).tile(picture(3000, 40), &[]).draw();
        let heights = attributes(&figure.to_svg(), "image", "height");
        assert_eq!(heights, [64.0, 64.0]);
        assert!(Sheet::new("None").draw().to_svg().contains(">None</text>"));
        assert!(Sheet::new("None").band("empty", "").draw().size().1 < 120.0);
    }
}
