"""What the proofs of this folder share: crates that are made of models, built and run."""

import os
import re
import subprocess
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "target" / "onnx"
# Dependencies are built once for all of them.
BUILT = WORK / "target"

MANIFEST = """[package]
name = "{name}"
version = "0.0.0"
edition = "2024"

[dependencies]
cnn-runtime = {{ path = "{root}/cnn-runtime", features = ["onnx"] }}
ndarray = "0.17"

[workspace]
"""

# Runs a network on a file of numbers, as many samples as it holds, and writes what comes out.
RUN = """
use std::error::Error;
use std::time::{Duration, Instant};
use std::{env, fs};

use cnn_runtime::prelude::*;

fn run<N: Network>(name: &str) -> Result<(), Box<dyn Error>> {
    let mut net = N::new(0);
    net.load(format!("models/{name}.onnx"))?;
    let bytes = fs::read(format!("data/{name}.in"))?;
    let input: Vec<f32> = bytes.as_chunks().0.iter().map(|number| f32::from_le_bytes(*number)).collect();
    let [c, h, w] = N::INFO.input;
    let n = input.len() / (c * h * w);
    let batch = ndarray::ArrayView4::from_shape((n, c, h, w), &input)?;
    let mut workspace = net.workspace(n);
    let output = net.forward_batch(&mut workspace, batch)?;
    let bytes: Vec<u8> = output.iter().flat_map(|number| number.to_le_bytes()).collect();
    fs::write(format!("data/{name}.out"), bytes)?;
    if let Ok(seconds) = env::var("SECONDS_TO_TIME") {
        let seconds = Duration::from_secs_f64(seconds.parse()?);
        let (start, mut times) = (Instant::now(), Vec::new());
        while start.elapsed() < seconds || times.len() < 5 {
            let before = Instant::now();
            net.forward_batch(&mut workspace, batch)?;
            times.push(before.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        println!("{}", times[times.len() / 2]);
    }
    Ok(())
}
"""


def command():
    """The command that imports models, built."""
    subprocess.run(["cargo", "build", "--quiet", "-p", "cnn-model"], cwd=ROOT, check=True)
    return ROOT / "target" / "debug" / "cnn-model"


def crate(name):
    """An empty crate with folders for models and data."""
    folder = WORK / name
    for part in ["src/bin", "models", "data"]:
        (folder / part).mkdir(parents=True, exist_ok=True)
        for file in (folder / part).iterdir():
            file.unlink()
    (folder / "Cargo.toml").write_text(MANIFEST.format(name=name, root=ROOT))
    return folder


def type_name(name):
    return "M" + re.sub(r"[^A-Za-z0-9]", "", name.title())


def program(models):
    """A program with a network of each model, which runs those that its arguments name."""
    networks = "\n".join(f'cnn!(pub {type_name(name)} = onnx "models/{name}.onnx");' for name in models)
    arms = "\n".join(f'            "{name}" => run::<{type_name(name)}>(&name),' for name in models)
    return f"""{RUN}
{networks}

fn main() {{
    for name in env::args().skip(1) {{
        let result = match &name[..] {{
{arms}
            _ => Err("no such model".into()),
        }};
        if let Err(error) = result {{
            println!("{{name}}: {{error}}");
        }}
    }}
}}
"""


def build(folder, *arguments):
    """Builds a crate; returns the seconds that it took."""
    start = time.time()
    environment = {**os.environ, "CARGO_TARGET_DIR": str(BUILT)}
    subprocess.run(["cargo", "build", "--quiet", "--release", *arguments], cwd=folder, env=environment, check=True)
    return time.time() - start


def run(folder, program, name, **environment):
    """Runs a network of a program on the numbers that were saved for it."""
    return subprocess.run(
        [BUILT / "release" / program, name],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def save(folder, name, array):
    np.ascontiguousarray(array, dtype="<f4").tofile(folder / "data" / f"{name}.in")


def load(folder, name):
    """What the network made, or nothing if it failed."""
    file = folder / "data" / f"{name}.out"
    return np.fromfile(file, dtype="<f4") if file.exists() else None
