//! Speed of whole networks: passes of one image and of batches, and training steps.
//!
//! `cargo bench --bench networks -- [FILTER] [--threads N,..] [--seconds S] [--json FILE]`
//!
//! Every case runs in a process of its own, so that the memory it is seen to need is its own: `planned` is what the
//! network's constants say of parameters, workspace and the optimiser's velocities, `peak` what the operating system
//! counted, program and input included. Times are medians; GFLOP/s count the multiply-adds of direct convolution
//! twice, and training as three forward passes; in brackets stands the part of what multiply-adds in registers reach,
//! measured in turns with the passes.

mod cases;
#[path = "../../cnn-runtime/benches/kernels/clock.rs"]
mod clock;
mod nets;
#[path = "../../cnn-runtime/benches/kernels/peak.rs"]
mod peak;

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cases::{Case, Measured};
use clap::Parser;
use cnn_runtime::dispatch::Isa;

#[derive(Parser)]
#[command(about = "Measures whole networks")]
struct Args {
    /// Only cases whose name contains this, as in resnet18, infer or lenet5-train-64
    #[arg(default_value = "")]
    filter: String,
    /// Threads; several with commas between
    #[arg(long, value_delimiter = ',', default_value = "1")]
    threads: Vec<usize>,
    /// Seconds for each case; each has three passes at least, unless one takes longer
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// A file for the figures, a line of JSON per case
    #[arg(long)]
    json: Option<PathBuf>,
    /// Prints the names of the cases and measures nothing
    #[arg(long)]
    list: bool,
    /// Runs the one case of this name in this process, and adds to the file instead of starting it anew
    #[arg(long)]
    alone: bool,
    // What cargo passes to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    if args.alone {
        let case = cases::all().into_iter().find(|case| case.to_string() == args.filter);
        return alone(&case.ok_or("no case has this name")?, args.threads[0], &args);
    }
    let names = || cases::all().into_iter().map(|case| case.to_string()).filter(|name| name.contains(&args.filter));
    if args.list {
        names().for_each(|name| println!("{name}"));
        return Ok(());
    }
    if let Some(path) = &args.json {
        File::create(path)?;
    }
    for &threads in &args.threads {
        println!("{}, {threads} threads", Isa::active().name());
        println!("{:<20}{:>12}{:>12}{:>18}{:>14}{:>14}", "case", "time", "images/s", "GFLOP/s", "planned", "peak");
        for case in names() {
            let mut process = Command::new(std::env::current_exe()?);
            process.args([&case, "--alone", "--threads", &threads.to_string()]);
            process.args(["--seconds", &args.seconds.to_string()]);
            process.args(args.json.iter().flat_map(|path| [Path::new("--json"), path]));
            if !process.status()?.success() {
                return Err(format!("{case} failed").into());
            }
        }
        println!();
    }
    Ok(())
}

/// Measures one case on `threads` threads, prints its row and adds its line to the file.
fn alone(case: &Case, threads: usize, args: &Args) -> Result<(), Box<dyn Error>> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let Measured { seconds, possible, flops, planned_bytes } = case.run(Duration::from_secs_f64(args.seconds));
    let (gflops, peak, peak_bytes) = (flops / seconds.median / 1e9, possible / seconds.median, peak_bytes());
    let images = case.batch as f64 / seconds.median;
    let of_peak = format!("{gflops:.1} ({:.0}%)", 100.0 * gflops / peak);
    let time = match seconds.median {
        s if s < 1e-3 => format!("{:.1} us", 1e6 * s),
        s => format!("{:.2} ms", 1e3 * s),
    };
    let megabytes = |bytes: usize| format!("{:.1} MB", bytes as f64 / 1e6);
    let measured = peak_bytes.map_or(String::new(), megabytes);
    let (name, planned) = (case.to_string(), megabytes(planned_bytes));
    println!("{name:<20}{time:>12}{images:>12.1}{of_peak:>18}{planned:>14}{measured:>14}");
    let Some(path) = &args.json else { return Ok(()) };
    let Case { network, task, batch, .. } = case;
    let (median, best, peak_bytes) = (seconds.median, seconds.best, peak_bytes.unwrap_or_default());
    let line = format!(r#"{{"network":"{network}","task":"{task}","batch":{batch},"threads":{threads},"#)
        + &format!(r#""median_s":{median:e},"best_s":{best:e},"gflops":{gflops:.2},"peak_gflops":{peak:.2},"#)
        + &format!(r#""planned_bytes":{planned_bytes},"peak_bytes":{peak_bytes}}}"#);
    Ok(writeln!(OpenOptions::new().create(true).append(true).open(path)?, "{line}")?)
}

/// The most memory that this process had at a time, where the operating system tells.
fn peak_bytes() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(1024 * line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()?)
}
