//! What was measured of one layer: a row of a table, and lines of JSON.

use std::time::Duration;

use cnn_runtime::testing::in_pass;

use crate::clock::{self, Seconds};
use crate::peak;
use crate::stream::Traffic;

/// What every row of a run shares.
pub struct Run {
    /// Samples in a batch.
    pub batch: usize,
    /// Threads that the kernels may use.
    pub threads: usize,
    /// GFLOP/s of multiply-adds in registers on as many threads, at best.
    pub peak: f64,
    /// How long each kernel is repeated.
    pub budget: Duration,
}

/// What was measured of one layer.
pub struct Row<'a> {
    run: &'a Run,
    cells: Vec<Cell>,
}

/// What was measured of one kernel.
struct Cell {
    title: &'static str,
    seconds: Seconds,
    /// What it did, in billions, and the name of the unit per second.
    work: f64,
    unit: &'static str,
    /// How near it came to what the processor or the memory can do.
    fraction: f64,
}

impl Cell {
    fn rate(&self) -> f64 {
        self.work / self.seconds.median
    }
}

impl<'a> Row<'a> {
    pub fn new(run: &'a Run) -> Self {
        Row { run, cells: Vec::new() }
    }

    /// Times a kernel that is bound by arithmetic.
    pub fn computes(&mut self, title: &'static str, flops: f64, call: impl FnMut() + Send) {
        let (seconds, possible) = clock::beside(self.run.budget, call, peak::now, |turn| in_pass(turn));
        self.push(title, seconds, flops, "GFLOP/s", flops / 1e9 / possible);
    }

    /// Times a kernel that is bound by memory.
    pub fn moves(&mut self, title: &'static str, traffic: Traffic, call: impl FnMut() + Send) {
        self.time(title, 0.0, traffic, call);
    }

    /// Times a kernel that is bound by what needs longer: as much arithmetic or as much memory.
    pub fn time(&mut self, title: &'static str, flops: f64, traffic: Traffic, call: impl FnMut() + Send) {
        let stream = || traffic.seconds(self.run.budget / 4).median;
        let (before, (seconds, possible)) =
            (stream(), clock::beside(self.run.budget / 2, call, peak::now, |turn| in_pass(turn)));
        let (arithmetic, memory) = (flops / 1e9 / possible, before.min(stream()) / seconds.median);
        if arithmetic > memory {
            self.push(title, seconds, flops, "GFLOP/s", arithmetic);
        } else {
            self.push(title, seconds, traffic.bytes() as f64, "GB/s", memory);
        }
    }

    fn push(&mut self, title: &'static str, seconds: Seconds, work: f64, unit: &'static str, fraction: f64) {
        self.cells.push(Cell { title, seconds, work: work / 1e9, unit, fraction });
    }

    /// The row under `titles`: how fast, and how near to the limit.
    pub fn table(&self, titles: &[&str]) -> String {
        let text = |cell: &Cell| {
            let percent = 100.0 * cell.fraction;
            format!("{:.1} {} {percent:3.0}%", cell.rate(), if cell.unit == "GB/s" { "GB" } else { "GF" })
        };
        let found = |title| self.cells.iter().find(|cell| cell.title == title).map_or(String::new(), text);
        titles.iter().map(|title| format!("{:>16}", found(*title))).collect()
    }

    /// A line of JSON for each kernel.
    pub fn json(&self, kind: &str, layer: &str, networks: &str) -> impl Iterator<Item = String> {
        let Run { batch, threads, peak, .. } = self.run;
        self.cells.iter().map(move |cell| {
            let Cell { title, unit, seconds: Seconds { best, median }, .. } = cell;
            let (rate, fraction) = (cell.rate(), cell.fraction);
            format!(r#"{{"kernel":"{kind}","layer":"{layer}","networks":"{networks}","direction":"{title}","#)
                + &format!(r#""batch":{batch},"threads":{threads},"median_s":{median:e},"best_s":{best:e},"#)
                + &format!(r#""rate":{rate:.3},"unit":"{unit}","of_limit":{fraction:.4},"peak_gflops":{peak:.2}}}"#)
        })
    }
}

/// Under `titles`, how many times as fast the second row of each round is as the first, of all rounds the middle one; last,
/// what multiply-adds in registers are.
pub fn speedups(rounds: Vec<[Row<'_>; 2]>, titles: &[&str]) -> String {
    let middle = |of: &dyn Fn(&Cell) -> Option<f64>, title: Option<&str>| {
        let mut each = Vec::new();
        for [few, many] in &rounds {
            let pairs =
                few.cells.iter().zip(&many.cells).filter(|(cell, _)| title.is_none_or(|title| cell.title == title));
            each.extend(pairs.filter_map(|(few, many)| Some(of(many)? / of(few)?)));
        }
        if each.is_empty() { String::new() } else { format!("{:.2}x", clock::median(&mut each)) }
    };
    let speed = |cell: &Cell| Some(1.0 / cell.seconds.median);
    let peak = |cell: &Cell| (cell.unit == "GFLOP/s").then(|| cell.rate() / cell.fraction);
    let found = titles.iter().map(|title| format!("{:>16}", middle(&speed, Some(title))));
    found.collect::<String>() + &format!("  peak {}", middle(&peak, None))
}
