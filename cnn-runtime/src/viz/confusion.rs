//! Which classes are taken for which, as a table of colours.

use super::colour::Colours;
use super::ink::Ink;
use super::picture::{Picture, Span};
use super::svg::{Anchor, Area, Canvas, Figure, Type, fitted, text_width};
use crate::error::Error;
use crate::metrics::Confusion;

/// Most classes whose counts and names are written; with more, the table is a picture with a pixel per pair.
const WRITTEN: usize = 32;
/// Widest that the name of a class may be.
const NAME: f64 = 120.0;
const TOP: f64 = 60.0;
const TITLE: Type = Type::new(14.0, Ink::Text, Anchor::Start).bold();
const SOFT: Type = Type::new(12.0, Ink::Soft, Anchor::Start);

/// Draws how often samples of each class (a row) were taken for each class (a column). Correct ones lie on the
/// diagonal, in blue, and mistakes beside it, in orange: the darker, the larger their part of the row. `names` are the
/// classes' names; numbers stand for those that are missing.
///
/// # Errors
/// [`Error::DataMismatch`] without classes or with more than 65,535.
pub fn confusion_matrix(confusion: &Confusion, names: &[String]) -> Result<Figure, Error> {
    let title = match confusion.samples() {
        0 => "Confusion matrix: no samples".to_owned(),
        samples => format!("{} of {samples} found ({:.2} %)", confusion.correct(), 100.0 * confusion.accuracy()),
    };
    match confusion.classes() {
        1..=WRITTEN => Ok(written(confusion, names, &title)),
        _ => painted(confusion, &title),
    }
}

/// The name of `class`, or its number.
pub(super) fn name_of(names: &[String], class: usize) -> String {
    names.get(class).cloned().unwrap_or_else(|| class.to_string())
}

fn written(confusion: &Confusion, names: &[String], title: &str) -> Figure {
    let classes = confusion.classes();
    let names: Vec<String> = (0..classes).map(|class| fitted(&name_of(names, class), 12.0, NAME)).collect();
    let widest = names.iter().map(|name| text_width(name, 12.0)).fold(0.0, f64::max);
    let digits = text_width(&confusion.counts().iter().max().unwrap_or(&0).to_string(), 12.0);
    // Wide enough for the names above, unless these make the table huge: then they are turned.
    let turned = widest > 64.0;
    let cell = (digits + 12.0).max(if turned { 30.0 } else { widest + 10.0 }).max(30.0);
    let height = cell.min(36.0);
    let top = TOP + if turned { widest * 0.72 + 14.0 } else { 18.0 };
    let left = 16.0 + widest + 10.0;
    let side = cell * classes as f64;
    // Turned names of the last columns reach out on the right.
    let right = if turned { widest * 0.72 + 12.0 } else { 16.0 };
    let heading = text_width(title, 15.0) + 32.0;
    let width = (left + side + right).max(heading).max(320.0);
    let mut canvas = Canvas::new(&format!("Confusion matrix: {title}"), width, top + height * classes as f64 + 16.0);
    canvas.text(16.0, 24.0, TITLE, title);
    canvas.text(16.0, 44.0, SOFT, "a row per class, a column per class it was taken for");
    for (class, name) in names.iter().enumerate() {
        let at = class as f64;
        canvas.text(left - 8.0, top + height * (at + 0.5) + 4.0, Type { anchor: Anchor::End, ..SOFT }, name);
        let x = left + cell * (at + 0.5);
        if turned {
            canvas.turned_text(x + 3.0, top - 8.0, -45.0, SOFT, name);
        } else {
            canvas.text(x, top - 8.0, Type { anchor: Anchor::Middle, ..SOFT }, name);
        }
    }
    for ((label, found), &count) in confusion.counts().indexed_iter() {
        let (x, y) = (left + cell * found as f64, top + height * label as f64);
        let area = Area { x: x + 1.0, y: y + 1.0, width: cell - 2.0, height: height - 2.0 };
        let row = confusion.counts().row(label).sum();
        let hint = format!("{count} of {row} of class {} taken for {}", names[label], names[found]);
        canvas.hint(&hint, |canvas| draw_cell(canvas, area, count, row, label == found));
    }
    canvas.done()
}

fn draw_cell(canvas: &mut Canvas, area: Area, count: u64, row: u64, correct: bool) {
    let (x, y) = (area.x + area.width / 2.0, area.y + area.height / 2.0 + 4.0);
    let set = Type::new(12.0, Ink::Soft, Anchor::Middle);
    if count == 0 {
        canvas.rect(area, 2.0, &Ink::Other.fill());
        return;
    }
    let strength = strength(count, row);
    canvas.rect(area, 2.0, &format!("fill=\"{}\"", hex(shade(strength, correct))));
    // Dark text on light cells and the other way round, whatever the paper.
    let ink = if strength > 0.55 { Ink::OnDark } else { Ink::OnLight };
    canvas.text(x, y, Type { ink, ..set }, &count.to_string());
}

/// How much a cell is coloured, from 0 to 1. The root shows parts of a percent.
fn strength(count: u64, row: u64) -> f32 {
    (count as f32 / row.max(1) as f32).sqrt()
}

/// Blue for what is correct, orange for what is not.
fn shade(strength: f32, correct: bool) -> [u8; 3] {
    let (low, high) = if correct { ([226, 239, 250], [8, 81, 140]) } else { ([253, 236, 221], [166, 62, 3]) };
    [0, 1, 2].map(|at| (low[at] as f32 + (high[at] as f32 - low[at] as f32) * strength).round() as u8)
}

fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// The table of many classes as pixels.
fn painted(confusion: &Confusion, title: &str) -> Result<Figure, Error> {
    let (classes, counts) = (confusion.classes(), confusion.counts());
    let rows: Vec<u64> = counts.outer_iter().map(|row| row.sum()).collect();
    let picture = Picture::paint(classes, classes, |label, found| {
        Colours::Inferno.at(Span::UNIT.place(strength(counts[[label, found]], rows[label])))
    })?;
    let side = classes.clamp(320, 1000) as f64;
    let mut canvas = Canvas::new(&format!("Confusion matrix: {title}"), side + 32.0, TOP + side + 16.0);
    canvas.text(16.0, 24.0, TITLE, title);
    let note = format!("rows: {classes} classes; columns: what they were taken for");
    canvas.text(16.0, 44.0, SOFT, &note);
    canvas.picture(Area { x: 16.0, y: TOP, width: side, height: side }, &picture);
    Ok(canvas.done())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Confusion {
        let mut confusion = Confusion::new(3);
        for (label, found, count) in [(0, 0, 90), (0, 2, 10), (1, 1, 7)] {
            (0..count).for_each(|_| confusion.add(label, found));
        }
        confusion
    }

    #[test]
    fn cells_hold_counts_and_say_what_they_are() {
        let names = ["cat", "dog"].map(String::from);
        let svg = confusion_matrix(&three(), &names).unwrap().to_svg();
        assert!(svg.contains("<title>10 of 100 of class cat taken for 2</title>"), "{svg}");
        assert!(svg.contains(">97 of 107 found (90.65 %)</text>"), "{svg}");
        assert_eq!(svg.matches("class=\"f-other\"").count(), 9 - 3, "cells without samples");
        for count in ["90", "10", "7"] {
            assert!(svg.contains(&format!(">{count}</text>")), "{count}");
        }
    }

    #[test]
    fn few_and_many_classes_have_a_table_too() {
        for classes in [1, 2, WRITTEN, WRITTEN + 1, 1000] {
            let svg = confusion_matrix(&Confusion::new(classes), &[]).unwrap().to_svg();
            assert!(svg.contains("no samples"), "{classes}");
            assert_eq!(svg.contains("<image"), classes > WRITTEN);
        }
        assert!(matches!(confusion_matrix(&Confusion::new(0), &[]), Err(Error::DataMismatch { .. })));
    }

    #[test]
    fn small_mistakes_show_and_are_not_blue() {
        let [correct, wrong] = [true, false].map(|correct| shade(strength(1, 100), correct));
        assert!(correct[2] > correct[0] && wrong[0] > wrong[2]);
        assert!(strength(1, 1000) > 0.03 && strength(5, 5) == 1.0 && strength(0, 0) == 0.0);
    }
}
