//! Speed of the kernels of LeNet-5, ResNet-20, AlexNet, ResNet-18 and ResNet-50, at every size that they have there, of
//! VGG-16's convolutions and of a depthwise one, beside the limit of the machine.
//!
//! `cargo bench -p cnn-runtime --bench kernels -- [FILTER] [--batch N,..] [--threads N,..] [--quick] [--json FILE]`
//!
//! Figures are medians. Where arithmetic is the bound they are GFLOP/s, two operations per multiply-add, and the part
//! of what multiply-adds reach that never leave the registers, measured in turns with the kernel, every few milliseconds;
//! where memory is, GB/s of what has to be moved, and the part of what a plain loop reaches that moves as much, measured
//! before and after; all on as many threads. Winograd's way has fewer products than are counted, which are the direct
//! way's, and can bring more than all of the peak; so can a matrix unit.
//!
//! With `--speedup`, how many times as fast each kernel is on the last of the numbers of threads as on the first, on two as
//! on one if none are given, measured in turns, and behind `peak` the same of multiply-adds in registers: what the machine
//! had free.

mod clock;
mod layer;
mod peak;
mod report;
mod shapes;
mod stream;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use cnn_runtime::dispatch::Isa;
use cnn_runtime::testing::on_threads;

use layer::Layer;
use report::{Row, Run};

#[derive(Parser)]
#[command(about = "Measures the kernels beside the limits of the machine")]
struct Args {
    /// Only layers whose kind, sizes or networks contain this, as in conv, 3x3 or resnet50
    #[arg(default_value = "")]
    filter: String,
    /// Samples in a batch; several with commas between
    #[arg(long, value_delimiter = ',', default_value = "8")]
    batch: Vec<usize>,
    /// Threads; several with commas between
    #[arg(long, value_delimiter = ',', default_value = "1", default_value_if("speedup", "true", "1,2"))]
    threads: Vec<usize>,
    /// Compares the last of the numbers of threads with the first
    #[arg(long, conflicts_with = "json")]
    speedup: bool,
    /// A tenth of the time for each kernel: shows that all run, says little about speed
    #[arg(long)]
    quick: bool,
    /// A file for the figures, a line of JSON per kernel
    #[arg(long)]
    json: Option<PathBuf>,
    // What cargo passes to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Turns of which the middle one counts.
const SPEEDUP_ROUNDS: u32 = 5;

fn main() -> io::Result<()> {
    let args = Args::parse();
    let mut json: Box<dyn Write + Send> = match &args.json {
        Some(path) => Box::new(BufWriter::new(File::create(path)?)),
        None => Box::new(io::sink()),
    };
    let budget = Duration::from_millis(if args.quick { 20 } else { 200 });
    if args.speedup {
        let [few, .., many] = args.threads[..] else {
            let text = "`--speedup` compares two numbers of threads: write `--threads 1,2`";
            Args::command().error(ErrorKind::TooFewValues, text).exit();
        };
        for &batch in &args.batch {
            println!("{}, {many} threads over {few}, batches of {batch}", Isa::active().name());
            let run = |threads| Run { batch, threads, peak: 0.0, budget: budget / SPEEDUP_ROUNDS };
            compare(&args.filter, &[run(few), run(many)]);
        }
        return Ok(());
    }
    for &threads in &args.threads {
        on_threads(threads, || {
            let peak = (0..200).map(|_| peak::now()).fold(0.0, f64::max);
            let machine = format!("{}, {threads} threads, {peak:.1} GFLOP/s at most", Isa::active().name());
            for &batch in &args.batch {
                println!("{machine}, batches of {batch}");
                measure(&args.filter, &Run { batch, threads, peak, budget }, &mut json)?;
            }
            io::Result::Ok(())
        })?;
    }
    json.flush()
}

/// The layers that `filter` asks for, with the networks that have them; prints the head of each kind.
fn wanted(filter: &str) -> impl Iterator<Item = (&'static str, Layer)> {
    let mut last = "";
    shapes::all().filter_map(move |(networks, layer)| {
        let (kind, titles) = layer.kind();
        if !format!("{kind} {layer} {networks}").contains(filter) {
            return None;
        }
        if last != kind {
            println!("\n{kind:<28}{}", titles.iter().map(|title| format!("{title:>16}")).collect::<String>());
            last = kind;
        }
        Some((networks, layer))
    })
}

/// Measures the layers that `filter` asks for, kind by kind.
fn measure(filter: &str, run: &Run, json: &mut impl Write) -> io::Result<()> {
    for (networks, layer) in wanted(filter) {
        let ((kind, titles), name) = (layer.kind(), layer.to_string());
        let mut row = Row::new(run);
        layer.measure(run.batch, &mut row);
        println!("{name:<28}{}  {networks}", row.table(titles));
        row.json(kind, &name, networks).try_for_each(|line| writeln!(json, "{line}"))?;
    }
    println!();
    Ok(())
}

/// Says how many times as fast the layers that `filter` asks for are in the second run as in the first.
fn compare(filter: &str, runs: &[Run; 2]) {
    for (networks, layer) in wanted(filter) {
        let rounds = (0..SPEEDUP_ROUNDS).map(|_| {
            runs.each_ref().map(|run| {
                on_threads(run.threads, || {
                    let mut row = Row::new(run);
                    layer.measure(run.batch, &mut row);
                    row
                })
            })
        });
        println!("{:<28}{}  {networks}", layer.to_string(), report::speedups(rounds.collect(), layer.kind().1));
    }
    println!();
}
