//! A Rust crate running one case in a process of its own, as `tool.py` does for the other tools.
//!
//! rivals TOOL NETWORK TASK BATCH THREADS FOLDER
//!
//! Prints a line of JSON once it is ready, and one more for each number of seconds that it reads. Networks, images and
//! what PyTorch makes of them are read from the files that `formats.py` wrote into the folder.

mod case;
mod tools;

use std::io::{self, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use case::Case;
use serde_json::json;
use tools::Work;

/// The median of the runs within some seconds after a first one: three at least, unless one takes longer.
fn measure(work: &mut dyn Work, seconds: f64) -> Result<f64> {
    let mut timed = || {
        let start = Instant::now();
        work.run().map(|()| start.elapsed().as_secs_f64())
    };
    let least = if timed()? > seconds { 1 } else { 3 };
    let (mut times, start) = (Vec::new(), Instant::now());
    while times.len() < least || start.elapsed().as_secs_f64() < seconds {
        times.push(timed()?);
    }
    times.sort_by(f64::total_cmp);
    Ok((times[(times.len() - 1) / 2] + times[times.len() / 2]) / 2.0)
}

/// The most memory that the process ever held.
fn peak_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
    Ok(1024 * peak.context("no VmHWM")?.trim().parse::<u64>()?)
}

fn say(line: serde_json::Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Answers each number of seconds that it reads, until there are no more.
fn serve(tool: &str, case: &Case) -> Result<()> {
    let mut work = tools::prepare(tool, case)?;
    work.run()?;
    let error = if case.task == "infer" { case.error_of(&work.scores()?)? } else { 0.0 };
    measure(&mut *work, 0.1)?;
    say(json!({"version": tools::version(tool), "error": error}))?;
    for seconds in io::stdin().lines() {
        let median = measure(&mut *work, seconds?.trim().parse()?)?;
        say(json!({"median_s": median, "peak_bytes": peak_bytes()?}))?;
    }
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [tool, name, task, batch, threads, folder] = &arguments[..] else {
        bail!("rivals TOOL NETWORK TASK BATCH THREADS FOLDER");
    };
    let case = Case::new(name, task, batch.parse()?, threads.parse()?, folder);
    tools::among_threads(tool, &case, || serve(tool, &case))
}
