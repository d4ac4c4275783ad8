//! Lines over an axis.

use std::fmt::Write;

use super::axis::{Scale, Unit};
use super::ink::Ink;
use super::svg::{Anchor, Area, Canvas, Figure, Number, Type, fitted, text_width};

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 320.0;
const TOP: f64 = 58.0;
const BOTTOM: f64 = 48.0;
/// Widest that the names of lines may be.
const NAMES: f64 = 190.0;
/// Least distance of the names' base lines.
const LEADING: f64 = 17.0;
/// Most points of a line that are dots too.
const DOTS: usize = 24;

const TITLE: Type = Type::new(14.0, Ink::Text, Anchor::Start).bold();
const AXIS: Type = Type::new(12.0, Ink::Soft, Anchor::Start);
const TICK: Type = Type::new(12.0, Ink::Soft, Anchor::Middle);
const NAME: Type = Type::new(12.0, Ink::Text, Anchor::Start);

/// A chart of lines. Each is named where it ends, with its last value; points that are not finite are left out.
///
/// ```
/// use cnn_runtime::viz::{LineChart, Unit};
///
/// let figure = LineChart::new("Accuracy on moved digits")
///     .x("pixels", Unit::Count)
///     .y("test accuracy", Unit::Percent)
///     .line("LeNet-5", [(0.0, 0.981), (1.0, 0.972), (2.0, 0.93)])
///     .line("MLP", [(0.0, 0.954), (1.0, 0.88), (2.0, 0.61)])
///     .draw();
/// assert!(figure.to_svg().contains("61.00\u{202f}%"));
/// ```
#[derive(Clone, Debug)]
pub struct LineChart {
    title: String,
    x: (String, Unit),
    y: (String, Unit),
    from_zero: bool,
    lines: Vec<Line>,
}

#[derive(Clone, Debug)]
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

impl LineChart {
    /// A chart without lines.
    pub fn new(title: impl Into<String>) -> Self {
        let axis = || (String::new(), Unit::Plain);
        LineChart { title: title.into(), x: axis(), y: axis(), from_zero: false, lines: Vec::new() }
    }

    /// What lies along the lower edge.
    #[must_use]
    pub fn x(mut self, label: impl Into<String>, unit: Unit) -> Self {
        self.x = (label.into(), unit);
        self
    }

    /// What the height of a point says.
    #[must_use]
    pub fn y(mut self, label: impl Into<String>, unit: Unit) -> Self {
        self.y = (label.into(), unit);
        self
    }

    /// Lets the upright axis begin at zero.
    #[must_use]
    pub fn from_zero(mut self) -> Self {
        self.from_zero = true;
        self
    }

    /// Adds a line through points `(x, y)`.
    #[must_use]
    pub fn line(mut self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let points = points.into_iter().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
        self.lines.push(Line { name: name.into(), points });
        self
    }

    /// Draws the chart.
    pub fn draw(&self) -> Figure {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let x = Scale::tight(points().map(|point| point.0), self.x.1, 8);
        let y = Scale::wide(points().map(|point| point.1), self.from_zero, self.y.1, 5);
        let ticks = y.ticks().map(|tick| text_width(&y.label(tick), TICK.size)).fold(0.0, f64::max);
        let names = self.lines.iter().map(|line| text_width(&line.label(self.y.1), NAME.size)).fold(0.0, f64::max);
        let left = 16.0 + ticks + 8.0;
        let width = WIDTH - left - (names.min(NAMES) + 30.0);
        let plot = Plot { area: Area { x: left, y: TOP, width, height: HEIGHT - TOP - BOTTOM }, x, y };

        let mut canvas = Canvas::new(&self.title, WIDTH, HEIGHT);
        canvas.text(16.0, 24.0, TITLE, &fitted(&self.title, 15.0, WIDTH - 32.0));
        canvas.text(16.0, 44.0, AXIS, &self.y.0);
        plot.axes(&mut canvas, &self.x.0);
        if points().next().is_none() {
            let (x, y) = (plot.area.x + plot.area.width / 2.0, plot.area.y + plot.area.height / 2.0);
            canvas.text(x, y, TICK, "no values");
        }
        for (index, line) in self.lines.iter().enumerate() {
            plot.line(&mut canvas, line, Ink::Series(index));
        }
        plot.names(&mut canvas, &self.lines, self.y.1);
        canvas.done()
    }
}

impl Line {
    /// Its name and its last value.
    fn label(&self, unit: Unit) -> String {
        match self.points.last() {
            Some(last) => format!("{} {}", self.name, unit.show(last.1)),
            None => String::new(),
        }
    }
}

/// Where the lines are drawn.
struct Plot {
    area: Area,
    x: Scale,
    y: Scale,
}

impl Plot {
    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let Area { x: left, y: top, width, height } = self.area;
        (left + self.x.place(x) * width, top + (1.0 - self.y.place(y)) * height)
    }

    fn axes(&self, canvas: &mut Canvas, label: &str) {
        let Area { x: left, y: top, width, height } = self.area;
        let (right, bottom) = (left + width, top + height);
        for tick in self.y.ticks() {
            let y = self.place((self.x.low, tick)).1;
            canvas.line((left, y), (right, y), Ink::Grid);
            canvas.text(left - 8.0, y + 4.0, Type { anchor: Anchor::End, ..TICK }, &self.y.label(tick));
        }
        canvas.line((left, bottom), (right, bottom), Ink::Line);
        for tick in self.x.ticks() {
            let x = self.place((tick, self.y.low)).0;
            canvas.line((x, bottom), (x, bottom + 4.0), Ink::Line);
            canvas.text(x, bottom + 18.0, TICK, &self.x.label(tick));
        }
        canvas.text(left + width / 2.0, bottom + 37.0, TICK, label);
    }

    fn line(&self, canvas: &mut Canvas, line: &Line, ink: Ink) {
        let mut path = String::new();
        for (index, &point) in line.points.iter().enumerate() {
            let ((x, y), letter) = (self.place(point), if index == 0 { 'M' } else { 'L' });
            let _ = write!(path, "{letter}{},{}", Number(x), Number(y));
        }
        canvas.path(&path, ink, 2.0);
        let dots = if line.points.len() <= DOTS { 0 } else { line.points.len() - 1 };
        for &point in &line.points[dots..] {
            let (x, y) = self.place(point);
            canvas.dot(x, y, 3.0, ink);
        }
    }

    /// The names of the lines, each as near to its line's end as the others let it.
    fn names(&self, canvas: &mut Canvas, lines: &[Line], unit: Unit) {
        let x = self.area.x + self.area.width + 14.0;
        let mut ends: Vec<(usize, f64)> = lines
            .iter()
            .enumerate()
            .filter_map(|(index, line)| Some((index, self.place(*line.points.last()?).1)))
            .collect();
        ends.sort_by(|a, b| a.1.total_cmp(&b.1));
        let wanted: Vec<f64> = ends.iter().map(|end| end.1).collect();
        let heights = apart(&wanted, LEADING, self.area.y, self.area.y + self.area.height);
        for (&(index, _), y) in ends.iter().zip(heights) {
            let label = lines[index].label(unit);
            canvas.dot(x, y, 4.0, Ink::Series(index));
            canvas.text(x + 9.0, y + 4.0, NAME, &fitted(&label, NAME.size, NAMES));
        }
    }
}

/// Heights near those wanted, which are sorted, but at least `distance` apart and, where there is room, from `low` to
/// `high`.
fn apart(wanted: &[f64], distance: f64, low: f64, high: f64) -> Vec<f64> {
    let weights = vec![1.0; wanted.len()];
    let gaps = vec![distance; wanted.len().saturating_sub(1)];
    let mut heights = super::spread::spread(wanted, &weights, &gaps);
    let over = heights.last().map_or(0.0, |last| (last - high).max(0.0));
    heights.iter_mut().for_each(|height| *height -= over);
    let under = heights.first().map_or(0.0, |first| (low - first).max(0.0));
    heights.iter_mut().for_each(|height| *height += under);
    heights
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> LineChart {
        LineChart::new("Loss").x("epoch", Unit::Count).y("mean loss", Unit::Plain)
    }

    #[test]
    fn lines_end_in_their_names_and_values() {
        let svg = chart()
            .line("training", [(1.0, 2.0), (2.0, 1.0)])
            .line("validation", [(1.0, 1.5), (2.0, 1.25)])
            .draw()
            .to_svg();
        assert!(svg.contains(">training 1.000</text>") && svg.contains(">validation 1.250</text>"), "{svg}");
        assert_eq!(svg.matches("<path").count(), 2);
        assert_eq!(svg.matches("<circle").count(), 4 + 2);
    }

    #[test]
    fn names_keep_their_distance() {
        assert_eq!(apart(&[10.0, 12.0, 100.0], 16.0, 0.0, 200.0), [3.0, 19.0, 100.0]);
        assert_eq!(apart(&[195.0, 199.0], 16.0, 0.0, 200.0), [184.0, 200.0]);
        assert_eq!(apart(&[1.0, 1.0], 16.0, 0.0, 200.0), [0.0, 16.0]);
        assert!(apart(&[], 16.0, 0.0, 1.0).is_empty());
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        let svg = chart().line("a", [(1.0, 2.0), (2.0, f64::NAN), (3.0, 1.0), (f64::INFINITY, 0.0)]).draw().to_svg();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 2 + 1);
    }

    #[test]
    fn nothing_and_one_point_are_charts_too() {
        assert!(chart().draw().to_svg().contains("no values"));
        assert!(chart().line("a", [(1.0, f64::NAN)]).draw().to_svg().contains("no values"));
        assert!(chart().line("a", [(1.0, 0.5)]).draw().to_svg().contains(">a 0.500</text>"));
    }
}
