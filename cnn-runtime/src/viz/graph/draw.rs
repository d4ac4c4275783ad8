//! The drawing of a placed graph.

use std::fmt::Write;

use super::boxes::{Block, Repeat};
use super::layout::{Arrow, Item, Layout, Vertex, layout};
use crate::info::NetInfo;
use crate::viz::ink::Ink;
use crate::viz::svg::{Anchor, Area, Canvas, Figure, Number, Type, fitted, text_width};

const TEXT: f64 = 12.0;
const LABEL: f64 = 11.0;
/// Space for an arrow and its shape between two rows, and for each further one that does not go straight down.
const ROW_GAP: f64 = 42.0;
const BEND: f64 = 12.0;
const MARGIN: f64 = 20.0;
const HEADER: f64 = 62.0;
/// Widest that a box may be.
const WIDEST: f64 = 300.0;
/// How far apart arrows end at a box.
const PORT: f64 = 22.0;
/// How far a frame is from the boxes in it, above and below.
const FRAME: f64 = 10.0;

const TITLE: Type = Type::new(15.0, Ink::Text, Anchor::Start).bold();
const NOTE: Type = Type::new(12.0, Ink::Soft, Anchor::Start);
const SHAPE: Type = Type::new(LABEL, Ink::Soft, Anchor::Start);

/// Places the boxes and draws them.
pub(super) fn draw(info: &NetInfo, blocks: &[Block], repeats: &[Repeat]) -> Figure {
    let items: Vec<Item> = blocks.iter().map(item).collect();
    let plan = Plan::new(blocks, layout(&items), repeats);
    let note = format!("{} parameters, {} multiply-accumulates", grouped(info.params as u64), grouped(info.macs));
    let heading = text_width(info.name, 16.0).max(text_width(&note, 12.0)) + 2.0 * MARGIN;
    let width = plan.width.max(heading);
    let mut canvas = Canvas::new(&format!("Graph of {}", info.name), width, plan.height);
    canvas.text(MARGIN, 28.0, TITLE, &fitted(info.name, 16.0, width - 2.0 * MARGIN));
    canvas.text(MARGIN, 47.0, NOTE, &note);
    plan.draw(&mut canvas, (width - plan.width) / 2.0);
    canvas.done()
}

/// `1234567` as `1,234,567`.
pub(in crate::viz) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(super) fn item(block: &Block) -> Item {
    let text = text_width(&block.text, TEXT).max(text_width(&block.then, LABEL));
    let side = text_width(&block.shape, LABEL) + 10.0;
    Item { width: (text + 20.0).clamp(64.0, WIDEST), side, inputs: block.inputs.clone() }
}

/// Everything at its place, the main line at x = 0.
pub(super) struct Plan<'b> {
    blocks: &'b [Block],
    pub layout: Layout,
    repeats: &'b [Repeat],
    /// Upper and lower edge of each row.
    rows: Vec<(f64, f64)>,
    left: f64,
    width: f64,
    height: f64,
}

impl<'b> Plan<'b> {
    pub fn new(blocks: &'b [Block], layout: Layout, repeats: &'b [Repeat]) -> Self {
        let mut y = HEADER;
        let mut rows = Vec::with_capacity(layout.rows.len());
        for (row, bends) in layout.rows.iter().zip(layout.bends()) {
            let items = row.iter().filter_map(|&index| layout.vertices[index].item);
            let height = items.map(|item| height(&blocks[item])).fold(0.0, f64::max);
            rows.push((y, y + height));
            y += height + ROW_GAP + BEND * bends.saturating_sub(1) as f64;
        }
        let edge = |side: f64| layout.vertices.iter().map(move |v| side * v.x + v.width / 2.0).fold(0.0, f64::max);
        // Shapes stand to the left of the main line.
        let labels = blocks.iter().map(|block| text_width(&block.shape, LABEL) + 10.0).fold(0.0, f64::max);
        let frame = if repeats.is_empty() { 0.0 } else { 14.0 };
        let (left, right) = (edge(-1.0).max(labels) + MARGIN + frame, edge(1.0) + MARGIN + frame);
        let height = y - ROW_GAP + MARGIN + frame;
        Plan { blocks, layout, repeats, rows, left, width: left + right, height }
    }

    /// The box of an item.
    pub fn area(&self, item: usize) -> Area {
        let Vertex { x, width, row, .. } = self.layout.vertices[item];
        let (top, bottom) = self.rows[row];
        let height = height(&self.blocks[item]);
        Area { x: self.left + x - width / 2.0, y: (top + bottom - height) / 2.0, width, height }
    }

    fn draw(&self, canvas: &mut Canvas, shift: f64) {
        let at = |x: f64| x + self.left + shift;
        for repeat in self.repeats {
            self.draw_frame(canvas, repeat, shift);
        }
        for arrow in &self.layout.arrows {
            self.draw_arrow(canvas, arrow, &at);
        }
        for (item, block) in self.blocks.iter().enumerate() {
            let mut area = self.area(item);
            area.x += shift;
            canvas.hint(&block.hint, |canvas| draw_box(canvas, area, block));
        }
    }

    /// A frame around the rows of repeated boxes.
    fn draw_frame(&self, canvas: &mut Canvas, repeat: &Repeat, shift: f64) {
        let rows = (repeat.first..repeat.first + repeat.len).map(|item| self.layout.vertices[item].row);
        let (first, last) = rows.fold((usize::MAX, 0), |(first, last), row| (first.min(row), last.max(row)));
        let vertices = || (first..=last).flat_map(|row| &self.layout.rows[row]).map(|&at| &self.layout.vertices[at]);
        let edge = |side: f64| vertices().map(move |v| side * v.x + v.width / 2.0).fold(0.0, f64::max) + 14.0;
        let times = format!("{} times", repeat.times);
        let right = edge(1.0).max(text_width(&times, 13.0) + 34.0);
        let (x, top) = (self.left + shift - edge(-1.0).max(60.0), self.rows[first].0 - 16.0);
        let area = Area { x, y: top, width: self.left + shift + right - x, height: self.rows[last].1 + FRAME - top };
        canvas.rect(area, 10.0, &format!("{} fill=\"none\" stroke-dasharray=\"5 4\"", Ink::Line.stroke()));
        let set = Type::new(12.0, Ink::Text, Anchor::End).bold();
        canvas.text(area.x + area.width - 10.0, top + 17.0, set, &times);
    }

    fn draw_arrow(&self, canvas: &mut Canvas, arrow: &Arrow, at: &impl Fn(f64) -> f64) {
        let vertices = &self.layout.vertices;
        let (from, to) = (&vertices[arrow.from], &vertices[arrow.to]);
        let start = (at(from.x), self.area(arrow.from).y + self.area(arrow.from).height);
        let end = (at(to.x + self.port(arrow)), self.area(arrow.to).y);
        let mut path = format!("M{},{}", Number(start.0), Number(start.1));
        let mut below = self.rows[from.row].1.max(start.1);
        let _ = write!(path, "V{}", Number(below));
        let mut x = start.0;
        for &point in &arrow.points {
            let (top, bottom) = self.rows[vertices[point].row];
            curve(&mut path, (x, below), (at(vertices[point].x), top));
            let _ = write!(path, "V{}", Number(bottom));
            (x, below) = (at(vertices[point].x), bottom);
        }
        curve(&mut path, (x, below), (end.0, self.rows[to.row].0 - 5.0));
        let _ = write!(path, "V{}", Number(end.1 - 5.0));
        canvas.path(&path, Ink::Line, 1.4);
        canvas.polygon(&[end, (end.0 - 4.0, end.1 - 7.0), (end.0 + 4.0, end.1 - 7.0)], Ink::Line);
        self.draw_shape(canvas, arrow, start, end, at);
    }

    /// Writes the shape along an arrow where no other arrow runs.
    fn draw_shape(
        &self,
        canvas: &mut Canvas,
        arrow: &Arrow,
        start: (f64, f64),
        end: (f64, f64),
        at: &impl Fn(f64) -> f64,
    ) {
        let (from, to) = (&self.layout.vertices[arrow.from], &self.layout.vertices[arrow.to]);
        let shape = &self.blocks[arrow.from].shape;
        let middle = arrow.points.get(arrow.points.len() / 2);
        if let Some(&point) = middle {
            let (top, bottom) = self.rows[self.layout.vertices[point].row];
            canvas.text(at(self.layout.vertices[point].x) + 6.0, (top + bottom) / 2.0 + 4.0, SHAPE, shape);
        } else if from.main && to.main {
            let y = (start.1 + end.1) / 2.0 + 2.0;
            canvas.text(end.0 - 7.0, y, Type { anchor: Anchor::End, ..SHAPE }, shape);
        } else if to.main {
            canvas.text(start.0 + 7.0, start.1 + 14.0, SHAPE, shape);
        } else {
            canvas.text(end.0 + 7.0, end.1 - 9.0, SHAPE, shape);
        }
    }

    /// How far from the middle of its box an arrow ends: the main line in the middle, others beside it in the order in
    /// which they come.
    fn port(&self, arrow: &Arrow) -> f64 {
        let vertices = &self.layout.vertices;
        let source = |arrow: &Arrow| &vertices[arrow.points.last().copied().unwrap_or(arrow.from)];
        let mut others: Vec<&Arrow> = self.layout.arrows.iter().filter(|other| other.to == arrow.to).collect();
        others.sort_by(|a, b| source(a).x.total_cmp(&source(b).x));
        let place = |wanted: &Arrow| others.iter().position(|other| *other == wanted).unwrap_or(0) as f64;
        let main = others.iter().find(|other| source(other).main && vertices[other.to].main);
        let middle = main.map_or((others.len() as f64 - 1.0) / 2.0, |main| place(main));
        let room = vertices[arrow.to].width / others.len().max(1) as f64;
        (place(arrow) - middle) * PORT.min(room)
    }
}

/// A curve that leaves and arrives upright.
fn curve(path: &mut String, (x, y): (f64, f64), (to_x, to_y): (f64, f64)) {
    if (x - to_x).abs() < 0.01 {
        let _ = write!(path, "V{}", Number(to_y));
        return;
    }
    let middle = Number((y + to_y) / 2.0);
    let _ = write!(path, "C{},{middle} {},{middle} {},{}", Number(x), Number(to_x), Number(to_x), Number(to_y));
}

fn height(block: &Block) -> f64 {
    if block.then.is_empty() { 30.0 } else { 44.0 }
}

fn draw_box(canvas: &mut Canvas, area: Area, block: &Block) {
    canvas.rect(area, 6.0, &block.ink.fill());
    let (x, room) = (area.x + area.width / 2.0, area.width - 12.0);
    let set = Type::new(TEXT, Ink::Text, Anchor::Middle);
    canvas.text(x, area.y + 19.0, set, &fitted(&block.text, TEXT, room));
    if !block.then.is_empty() {
        let set = Type::new(LABEL, Ink::Soft, Anchor::Middle);
        canvas.text(x, area.y + 34.0, set, &fitted(&block.then, LABEL, room));
    }
}
