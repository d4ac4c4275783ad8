use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use roxmltree::{Document, ParsingOptions};

use super::*;
use crate::metrics::Confusion;
use crate::train::Epoch;

crate::cnn! {
    Net <1x12x12> -> conv(4, 5x5) -> bn -> relu -> pool(2, s2) -> conv(6, 3x3) -> relu -> fc(3)
}

fn reached() -> Evaluation {
    let mut confusion = Confusion::new(3);
    [(0, 0), (0, 1), (1, 1), (2, 2), (2, 2)].iter().for_each(|&(label, found)| confusion.add(label, found));
    Evaluation { loss: 0.25, in_top5: 5, confusion }
}

/// A report with everything in it, and names that are not HTML.
fn full() -> Report {
    let epoch = |index| Epoch { validation: Some(reached().summary()), ..crate::watch::epoch(index, 3) };
    let history = History { epochs: (0..3).map(epoch).collect() };
    let names = ["<i>cat</i>", "dog & \"wolf\"", "fish"].map(String::from);
    let image = ndarray::Array3::from_shape_fn((1, 12, 12), |(_, y, x)| (y * x) as f32);
    let mistake = Mistake { index: 7, source: None, image: image.clone(), label: 0, found: 1, confidence: 0.9 };
    let heat = super::super::overlay(image.view(), image.index_axis(ndarray::Axis(0), 0)).unwrap();
    let net = Net::new(1);
    Report::new("A <run> & its numbers")
        .setting("seed", 1)
        .setting("data", "<folder>")
        .network(Net::INFO)
        .history(&history)
        .evaluation(&reached(), &names)
        .and_then(|report| report.filters(&net))
        .and_then(|report| report.mistakes(&[mistake], &names))
        .and_then(|report| report.sample(&net, image.view(), &names))
        .unwrap()
        .picture("Saliency", &heat, "where the network looks, if x < y")
}

fn parse(html: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(html, options).unwrap_or_else(|error| panic!("{error} in\n{html}"))
}

#[test]
fn the_page_is_well_formed_and_holds_what_was_added() {
    let html = full().to_html();
    let page = parse(&html);
    let texts = |tag: &str| -> Vec<String> {
        let tagged = page.descendants().filter(|node| node.tag_name().name() == tag);
        tagged.map(|node| node.text().unwrap_or_default().to_owned()).collect()
    };
    let headings = texts("h2");
    assert_eq!(
        headings,
        ["Network", "Training", "Evaluation", "Filters", "Mistakes", "A sample", "Saliency", "Settings"]
    );
    assert_eq!(texts("h1"), ["A <run> & its numbers"]);
    assert_eq!(texts("dd"), ["405", "3", "4.5 s", "80.00\u{202f}%", "0.250"]);
    assert!(texts("td").contains(&"<i>cat</i>".to_owned()) && texts("td").contains(&"<folder>".to_owned()));
    // A graph, three curves, a matrix, two layers of filters, the mistakes, a look at a sample and its layers.
    assert_eq!(page.descendants().filter(|node| node.tag_name().name() == "svg").count(), 10);
    for link in page.descendants().filter(|node| node.tag_name().name() == "a") {
        let id = link.attribute("href").unwrap().trim_start_matches('#');
        assert_eq!(page.descendants().filter(|node| node.attribute("id") == Some(id)).count(), 1, "{id}");
    }
}

#[test]
fn the_page_needs_nothing_but_itself() {
    let html = full().to_html();
    for node in parse(&html).descendants() {
        assert!(!matches!(node.tag_name().name(), "script" | "link" | "iframe" | "object"), "{node:?}");
        for attribute in node.attributes().filter(|attribute| matches!(attribute.name(), "href" | "src")) {
            let inside = attribute.value().starts_with('#') || attribute.value().starts_with("data:image/png;base64,");
            assert!(inside, "{attribute:?}");
        }
    }
    assert!(!html.contains("url(") && !html.contains("@import"));
}

#[test]
fn an_empty_report_and_an_empty_run_are_pages() {
    parse(&Report::new("").to_html());
    let html = Report::new("Nothing").history(&History::default()).to_html();
    assert!(html.contains("no values"));
    parse(&html);
    let one = Evaluation { loss: f32::NAN, in_top5: 0, confusion: Confusion::new(1) };
    parse(&Report::new("No samples").evaluation(&one, &[]).unwrap().to_html());
}

#[test]
fn the_same_run_is_the_same_page() {
    assert_eq!(full().to_html(), full().to_html());
}

/// Opens the page in a browser: `CHROME` in the environment, or one of the usual names.
#[test]
#[ignore = "needs Chromium"]
fn a_browser_renders_the_page() {
    let named = env::var("CHROME").ok().into_iter();
    let usual = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"].map(String::from);
    let works = |name: &String| Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success());
    let browser = named.chain(usual).find(works).expect("Chromium; CHROME names one");
    let folder = tempfile::tempdir().unwrap();
    let (file, shot) = (folder.path().join("run.html"), folder.path().join("shot.png"));
    full().save(&file).unwrap();
    let mut running = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1200,1600"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("--screenshot={}", shot.display()))
        .arg(format!("file://{}", file.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while running.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(120) {
            running.kill().unwrap();
            panic!("the browser did not end");
        }
        thread::sleep(Duration::from_millis(50));
    }
    let pixels = image::load_from_memory(&fs::read(&shot).unwrap()).unwrap().into_rgb8();
    assert_eq!(pixels.width(), 1200);
    // The boxes of the graph have colours that nothing else on the page has: if they are there, the drawing is.
    for [r, g, b] in [[0xdc, 0xeb, 0xf9], [0xd9, 0xf0, 0xe6], [0xf8, 0xe6, 0xd4]] {
        let count = pixels.pixels().filter(|pixel| pixel.0 == [r, g, b]).count();
        assert!(count > 500, "{count} pixels of colour {r:02x}{g:02x}{b:02x}");
    }
}
