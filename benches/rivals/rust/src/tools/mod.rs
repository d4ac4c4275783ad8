//! The crates, each with what it runs.

mod burn;
mod candle;
mod rten;
mod tract;

use anyhow::{Result, bail};

use crate::case::Case;

/// What is measured.
pub trait Work {
    /// A forward pass or a training step.
    fn run(&mut self) -> Result<()>;

    /// What the last forward pass came to.
    fn scores(&self) -> Result<Vec<f32>>;
}

pub fn prepare(tool: &str, case: &Case) -> Result<Box<dyn Work>> {
    Ok(match (tool, case.task.as_str()) {
        ("burn", "infer") => Box::new(burn::Forward::new(case)?),
        ("burn", "train") => Box::new(burn::Train::new(case)?),
        ("candle", "infer") => Box::new(candle::Forward::new(case)?),
        ("rten", "infer") => Box::new(rten::Forward::new(case)?),
        ("tract", "infer") => Box::new(tract::Forward::new(case)?),
        (_, task) => bail!("{tool} has no {task}"),
    })
}

/// Calls a function where the tool's work costs it no change of threads: among those of its pool.
pub fn among_threads(tool: &str, case: &Case, function: impl FnOnce() -> Result<()> + Send) -> Result<()> {
    if tool == "rten" {
        return ::rten::thread_pool().run(function);
    }
    rayon::ThreadPoolBuilder::new().num_threads(case.threads).use_current_thread().build_global()?;
    function()
}

/// The version of a tool that this program was built with.
pub fn version(tool: &str) -> Option<&'static str> {
    let package = match tool {
        "tract" => "tract-core",
        "candle" => "candle-core",
        same => same,
    };
    let (_, after) = include_str!("../../Cargo.lock").split_once(&format!("name = \"{package}\"\nversion = \""))?;
    after.split('"').next()
}
