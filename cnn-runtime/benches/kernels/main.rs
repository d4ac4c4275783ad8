//! Speed of every kernel, at every size that LeNet-5, ResNet-20, AlexNet, ResNet-18 and ResNet-50 have, and of
//! VGG-16's convolutions, beside the limit of the machine.
//!
//! `cargo bench -p cnn-runtime --bench kernels -- [FILTER] [--batch N,..] [--threads N,..] [--quick] [--json FILE]`
//!
//! Figures are medians. Where arithmetic is the bound they are GFLOP/s, two operations per multiply-add, and the part
//! of what multiply-adds reach that never leave the registers, measured in turns with the kernel, every few milliseconds;
//! where memory is, GB/s of what has to be moved, and the part of what a plain loop reaches that moves as much, measured
//! before and after; all on as many threads. Winograd's way has fewer products than are counted, which are the direct
//! way's, and can bring more than all of the peak.

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

use clap::Parser;
use cnn_runtime::dispatch::Isa;
use cnn_runtime::testing::on_threads;

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
    #[arg(long, value_delimiter = ',', default_value = "1")]
    threads: Vec<usize>,
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

fn main() -> io::Result<()> {
    let args = Args::parse();
    let mut json: Box<dyn Write + Send> = match &args.json {
        Some(path) => Box::new(BufWriter::new(File::create(path)?)),
        None => Box::new(io::sink()),
    };
    let budget = Duration::from_millis(if args.quick { 20 } else { 200 });
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

/// Measures the layers that `filter` asks for, kind by kind.
fn measure(filter: &str, run: &Run, json: &mut impl Write) -> io::Result<()> {
    let mut last = "";
    for (networks, layer) in shapes::all() {
        let ((kind, titles), name) = (layer.kind(), layer.to_string());
        if !format!("{kind} {name} {networks}").contains(filter) {
            continue;
        }
        if last != kind {
            println!("\n{kind:<28}{}", titles.iter().map(|title| format!("{title:>16}")).collect::<String>());
            last = kind;
        }
        let mut row = Row::new(run);
        layer.measure(run.batch, &mut row);
        println!("{name:<28}{}  {networks}", row.table(titles));
        row.json(kind, &name, networks).try_for_each(|line| writeln!(json, "{line}"))?;
    }
    println!();
    Ok(())
}
