//! A page in HTML. It is well-formed XML too: every element is closed, which a strict parser can check.

use std::fmt::Write;

use crate::viz::ink;
use crate::viz::picture::Picture;
use crate::viz::svg::{Escaped, Figure, Number};

const STYLE: &str = include_str!("style.css");
/// What the style sheet's colours are on dark paper.
const DARK: &str = "--paper:#161b22;--back:#0d1117;--text:#e6edf3;--soft:#9aa5b1;--edge:#2b323b;--link:#6cb6ff";
/// Narrowest that a drawing is made before it is scrolled instead.
const NARROWEST: f64 = 420.0;

/// A part of the page under a heading.
#[derive(Clone, Debug)]
pub(super) struct Section {
    name: String,
    html: String,
}

impl Section {
    pub fn new(name: &str) -> Self {
        Section { name: name.to_owned(), html: String::new() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    fn add(&mut self, html: &str) {
        self.html.push_str(html);
        self.html.push('\n');
    }

    pub fn figure(&mut self, figure: &Figure, caption: &str) {
        let narrowest = Number(figure.size().0.min(NARROWEST));
        let svg = figure.to_element().replacen("<svg ", &format!("<svg style=\"min-width:{narrowest}px\" "), 1);
        self.add(&format!("<figure>{svg}{}</figure>", caption_html(caption)));
    }

    pub fn picture(&mut self, picture: &Picture, caption: &str) {
        // Small pictures are shown in whole multiples of their size.
        let scale = (320 / picture.width().max(picture.height())).max(1);
        let (width, height) = (picture.width() * scale, picture.height() * scale);
        let (source, text) = (picture.data_url(), Escaped(caption));
        let image = format!("<img width=\"{width}\" height=\"{height}\" alt=\"{text}\" src=\"{source}\"/>");
        self.add(&format!("<figure>{image}{}</figure>", caption_html(caption)));
    }

    pub fn table(&mut self, table: &Table) {
        let mut html = String::from("<div class=\"table\"><table><thead>");
        table.write_row(&mut html, "th", &table.head);
        html += "</thead><tbody>";
        table.rows.iter().for_each(|row| table.write_row(&mut html, "td", row));
        html += "</tbody></table></div>";
        self.add(&html);
    }

    /// What `add` adds, side by side where there is room.
    pub fn row(&mut self, add: impl FnOnce(&mut Self)) {
        self.group("row", add);
    }

    /// Drawings that `add` adds, side by side and narrowed a little where that makes room.
    pub fn curves(&mut self, add: impl FnOnce(&mut Self)) {
        self.group("row curves", add);
    }

    fn group(&mut self, class: &str, add: impl FnOnce(&mut Self)) {
        self.add(&format!("<div class=\"{class}\">"));
        add(self);
        self.add("</div>");
    }

    /// What `add` adds, to be opened by a click.
    pub fn details(&mut self, summary: &str, add: impl FnOnce(&mut Self)) {
        self.add(&format!("<details><summary>{}</summary>", Escaped(summary)));
        add(self);
        self.add("</details>");
    }
}

fn caption_html(caption: &str) -> String {
    if caption.is_empty() { String::new() } else { format!("<figcaption>{}</figcaption>", Escaped(caption)) }
}

/// A table: columns of text, then columns of numbers.
#[derive(Clone, Debug)]
pub(super) struct Table {
    head: Vec<String>,
    texts: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(texts: &[&str], numbers: &[&str]) -> Self {
        let head = texts.iter().chain(numbers).map(|&name| name.to_owned()).collect();
        Table { head, texts: texts.len(), rows: Vec::new() }
    }

    pub fn row(&mut self, cells: &[&str]) {
        self.rows.push(cells.iter().map(|&cell| cell.to_owned()).collect());
    }

    fn write_row(&self, html: &mut String, tag: &str, cells: &[String]) {
        html.push_str("<tr>");
        for (column, cell) in cells.iter().enumerate() {
            let class = if column < self.texts { "" } else { " class=\"right\"" };
            let _ = write!(html, "<{tag}{class}>{}</{tag}>", Escaped(cell));
        }
        html.push_str("</tr>\n");
    }
}

/// The whole page. Names and values of settings become a section of their own, the last one.
pub(super) fn page(
    title: &str,
    numbers: &[(String, String)],
    settings: &[(String, String)],
    sections: &[Section],
) -> String {
    let mut html = String::from("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n");
    html += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n";
    let title = Escaped(title);
    let _ = write!(html, "<title>{title}</title>\n<style>\n{STYLE}@media (prefers-color-scheme: dark) {{ ");
    let _ = write!(html, ":root {{ {DARK} }} {} }}\n</style></head>\n", ink::dark_rules());
    let _ = write!(html, "<body><header><h1>{title}</h1>\n<nav>");
    let settings = settings_section(settings);
    let all = || sections.iter().chain(&settings);
    for (at, section) in all().enumerate() {
        let _ = writeln!(html, "<a href=\"#s{at}\">{}</a>", Escaped(&section.name));
    }
    html += "</nav></header>\n<main>\n";
    if !numbers.is_empty() {
        html += "<dl class=\"numbers\">\n";
        for (name, value) in numbers {
            let _ = writeln!(html, "<div><dt>{}</dt><dd>{}</dd></div>", Escaped(name), Escaped(value));
        }
        html += "</dl>\n";
    }
    for (at, Section { name, html: inner }) in all().enumerate() {
        let _ = writeln!(html, "<section id=\"s{at}\"><h2>{}</h2>\n{inner}</section>", Escaped(name));
    }
    let _ = write!(html, "</main>\n<footer><p>cnn! {}</p></footer></body></html>\n", env!("CARGO_PKG_VERSION"));
    html
}

/// The table of settings, if there are any.
fn settings_section(settings: &[(String, String)]) -> Option<Section> {
    let mut section = Section::new("Settings");
    section.html += "<div class=\"table\"><table><tbody>\n";
    for (name, value) in settings {
        let (name, value) = (Escaped(name), Escaped(value));
        let _ = writeln!(section.html, "<tr><th scope=\"row\">{name}</th><td class=\"wrap\">{value}</td></tr>");
    }
    section.html += "</tbody></table></div>\n";
    (!settings.is_empty()).then_some(section)
}
