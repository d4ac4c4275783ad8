"""Runs other tools on the networks of `cargo bench --bench networks`, beside it and in turns with it.

VENV/bin/python benches/rivals/compare.py [FILTER] [--threads 1,2] [--rounds 5] [--seconds 0.7] [--json FILE]

For each case, each tool has a process, which stays, and is stopped while another runs. In each round each of them
measures once, alone; what counts is the median of its rounds. Networks that `nets.py` does not have, whose ways of
computing only `cnn!` knows, it measures alone. The file keeps cases of earlier runs that FILTER leaves out. `table.py`
makes the README's table of it.

The Rust crates (`--tools tract,rten,candle,burn`) run only if named: building them takes cargo many minutes at first.
"""

import argparse
import contextlib
import fcntl
import json
import os
import platform
import signal
import statistics
import subprocess
import sys

import nets
from table import CRATES
from tool import TOOLS

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# So much of the largest score may a tool's answer differ from PyTorch's.
TOLERANCE = 1e-3
# What each task can be done by: the tools, and those of the crates, which the program in `rust` runs as `tool.py` would.
KNOWN = {"infer": [*TOOLS["infer"], *CRATES], "train": [*TOOLS["train"], "burn"]}


class Rival:
    """A process of `tool.py`, or of the crates' program, stopped but while it has work."""

    def __init__(self, program, tool, case, threads, folder):
        name, task, batch = case.split("-")
        limits = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "RTEN_NUM_THREADS")
        environment = dict(os.environ, **dict.fromkeys(limits, str(threads)))
        environment.update(TF_CPP_MIN_LOG_LEVEL="3", TORCHINDUCTOR_CACHE_DIR=os.path.join(folder, "inductor"))
        environment.update(TORCHINDUCTOR_FREEZING="1" if task == "infer" else "0", PYTHONWARNINGS="ignore")
        arguments = [tool, name, task, batch, str(threads), folder]
        log = open(os.path.join(folder, "log.txt"), "a")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log, "text": True}
        self.process = subprocess.Popen([*program, *arguments], env=environment, preexec_fn=pinned(threads), **pipes)
        self.ready = self.read()
        self.process.send_signal(signal.SIGSTOP)

    def read(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"failed": True}

    def measure(self, seconds):
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.stdin.write(f"{seconds}\n")
            self.process.stdin.flush()
        except BrokenPipeError:  # it ended, for want of memory perhaps
            return {"failed": True}
        found = self.read()
        self.process.send_signal(signal.SIGSTOP)
        return found

    def end(self):
        self.process.kill()
        self.process.wait()


class Ours:
    """The benchmark of networks, which starts anew in each round."""

    def __init__(self, binary, case, threads, folder):
        self.case, self.threads, self.file = case, threads, os.path.join(folder, "ours.json")
        self.command = [binary, case, "--alone", "--threads", str(threads), "--json", self.file]
        self.ready = {"version": command("git", "describe", "--always", "--dirty")}

    def measure(self, seconds):
        open(self.file, "w").close()
        arguments = [*self.command, "--seconds", str(seconds)]
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, preexec_fn=pinned(self.threads))
        with open(self.file) as file:
            return json.load(file)

    def end(self):
        """Nothing is left running."""


def pinned(threads):
    """Keeps a process that may have one thread to one processor, so that no helper of its own takes another."""
    return (lambda: os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})) if threads == 1 else None


def command(*arguments):
    return subprocess.run(arguments, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def build(name, *arguments):
    """Builds a program by cargo; returns its path."""
    lines = command("cargo", *arguments, "--message-format=json").splitlines()
    artifacts = [json.loads(line) for line in lines if line.startswith("{")]
    return next(a["executable"] for a in artifacts if a.get("target", {}).get("name") == name and a.get("executable"))


def programs(tools):
    """What runs each tool. The crates are built if one of them is to run."""
    found = dict.fromkeys(TOOLS["infer"], [sys.executable, os.path.join(HERE, "tool.py")])
    if set(tools) & set(CRATES):
        manifest, target = os.path.join(HERE, "rust", "Cargo.toml"), os.path.join(ROOT, "target", "rivals", "rust")
        options = ["--release", "--locked", "--manifest-path", manifest, "--target-dir", target]
        crates = build("rivals", "build", *options)
        found |= dict.fromkeys(CRATES, [crates])
    return found


def machine():
    with open("/proc/cpuinfo") as file:
        model = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    cores = len(os.sched_getaffinity(0))
    return {"processor": model, "cores": cores, "system": platform.system(), "rustc": command("rustc", "--version")}


def compare(case, threads, tools, binary, args, locked):
    """All tools, with what runs them, on one case: what each reached, by name."""
    with locked(fcntl.LOCK_SH):
        name, task, batch = case.split("-")
        known = {tool: program for tool, program in tools.items() if tool in KNOWN[task] and name in nets.NETS}
        wanted = {"models": task == "infer" and known, "layers": any(tool in CRATES for tool in known)}
        kinds = [kind for kind, is_wanted in wanted.items() if is_wanted]
        if kinds:
            formats = [sys.executable, os.path.join(HERE, "formats.py"), name, batch, args.folder, *kinds]
            subprocess.run(formats, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        runners = {"cnn!": Ours(binary, case, threads, args.folder)}
        runners |= {tool: Rival(program, tool, case, threads, args.folder) for tool, program in known.items()}
    try:
        rounds = {tool: [] for tool, runner in runners.items() if not runner.ready.get("failed")}
        for _ in range(args.rounds):
            with locked(fcntl.LOCK_EX):
                for tool, found in rounds.items():
                    found.append(runners[tool].measure(args.seconds))
    finally:
        for runner in runners.values():
            runner.end()
    return {tool: summary(runners[tool].ready, rounds.get(tool)) for tool in runners}


def summary(ready, rounds):
    if not rounds or any(found.get("failed") for found in rounds):
        return {"failed": True}
    # Ours has weights of its own, which the tests hold against PyTorch. An error that is not a number is one, too.
    if not ready.get("error", 0.0) <= TOLERANCE:
        return {"failed": True, **ready}
    times = [found["median_s"] for found in rounds]
    known = {key: rounds[-1][key] for key in ("planned_bytes", "peak_gflops") if key in rounds[-1]}
    peak = max(found["peak_bytes"] for found in rounds)
    return {"median_s": statistics.median(times), "rounds_s": times, "peak_bytes": peak, **known, **ready}


def lock(path):
    """Holds a file's lock, if one was named: shared while preparing, alone while measuring."""

    @contextlib.contextmanager
    def locked(kind):
        if not path:
            yield
            return
        with open(path, "a") as file:
            fcntl.flock(file, kind)
            yield

    return locked


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filter", nargs="?", default="", help="only cases that contain this, as in resnet18-infer")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.7, help="for each tool in each round")
    parser.add_argument("--tools", default=",".join(TOOLS["infer"]), help="the Rust crates run only if named; an empty text for none")
    parser.add_argument("--folder", default=os.path.join(ROOT, "target", "rivals"), help="for the tools' files")
    parser.add_argument("--json", default=os.path.join(ROOT, "target", "rivals", "results.json"))
    parser.add_argument("--lock", help="a file that all who measure on this machine lock")
    args = parser.parse_args()
    # Also then the processes that stand still have to be ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    os.makedirs(args.folder, exist_ok=True)
    locked = lock(args.lock)
    names = args.tools.split(",")
    with locked(fcntl.LOCK_SH):
        binary = build("networks", "bench", "--bench", "networks", "--no-run")
        found = programs(names)
    tools = {tool: found[tool] for tool in names if tool in found}
    cases = [case for case in command(binary, "--list").splitlines() if args.filter in case]
    results = {}
    if os.path.exists(args.json):
        with open(args.json) as file:
            results = json.load(file)["results"]
    for case in cases:
        for threads in map(int, args.threads.split(",")):
            found = compare(case, threads, tools, binary, args, locked)
            results[f"{case}-{threads}"] = found
            times = {tool: 1e3 * one["median_s"] if "median_s" in one else None for tool, one in found.items()}
            texts = (f"{tool} " + (f"{time:.3f} ms" if time else "failed") for tool, time in times.items())
            print(f"{case}, {threads} threads: " + ", ".join(texts), flush=True)
            with open(args.json, "w") as file:
                json.dump({"machine": machine(), "results": results}, file, indent=1)


if __name__ == "__main__":
    main()
