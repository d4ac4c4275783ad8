"""Writes the README's tables of speed from what `compare.py` measured.

python3 benches/rivals/table.py [--section NAME] [--json FILE] [--print]

A section is of one machine: "speed", or "speed without a matrix unit".
"""

import argparse
import json
import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

CRATES = ["tract", "rten", "candle", "burn"]
# Column and the tools it is the best of.
COLUMNS = {
    "cnn!": ["cnn!"],
    "PyTorch": ["pytorch", "pytorch-nhwc"],
    "compiled": ["pytorch-compiled"],
    "ONNX Runtime": ["onnxruntime"],
    "OpenVINO": ["openvino"],
    "ncnn": ["ncnn"],
    "LiteRT": ["litert"],
    "Rust crates": CRATES,
}
NAMES = {"pytorch": "PyTorch", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "ncnn": "ncnn", "litert": "LiteRT"}
NAMES |= {crate: crate for crate in CRATES}
NETWORKS = {
    "lenet5": "LeNet-5",
    "resnet20": "ResNet-20",
    "alexnet": "AlexNet",
    "resnet18": "ResNet-18",
    "resnet50": "ResNet-50",
    "resnet152": "ResNet-152",
    "vgg16": "VGG-16",
    "vgg19": "VGG-19",
    "resnet152direct": "ResNet-152, all products",
    "vgg16direct": "VGG-16, all products",
    "vgg19direct": "VGG-19, all products",
}


def seconds(found, tools):
    """The best of the tools, or None if none of them ran."""
    times = [found[tool]["median_s"] for tool in tools if "median_s" in found.get(tool, {})]
    return min(times, default=None)


def text(time):
    """A time with three digits and a fitting unit."""
    if time is None:
        return ""
    value, unit = (1e3 * time, "ms") if time >= 1e-3 else (1e6 * time, "us")
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {unit}"


def row(title, threads, found):
    times = {column: seconds(found, tools) for column, tools in COLUMNS.items()}
    best = min(time for time in times.values() if time)
    rival = min((time for column, time in times.items() if time and column != "cnn!"), default=None)
    cells = [f"**{text(time)}**" if time == best else text(time) for time in times.values()]
    if times["Rust crates"]:
        crate = next(tool for tool in CRATES if seconds(found, [tool]) == times["Rust crates"])
        cells[list(COLUMNS).index("Rust crates")] += f" ({crate})"
    faster = f"{rival / times['cnn!']:.2f}x" if rival and times["cnn!"] else ""
    return f"| {title} | {threads} | " + " | ".join(cells) + f" | {faster} |"


def table(results, task):
    """The rows of one task, network by network."""
    lines = [f"| | threads | {' | '.join(COLUMNS)} | faster than the best |", "|---|" + "---:|" * (len(COLUMNS) + 2)]
    for key, found in sorted(results.items(), key=order):
        name, kind, batch, threads = key.split("-")
        if kind == task and found.get("cnn!", {}).get("median_s"):
            many = "1 image" if batch == "1" else f"{batch} images"
            lines.append(row(f"{NETWORKS[name]}, {many}", threads, found))
    return "\n".join(lines)


def order(item):
    name, _, batch, threads = item[0].split("-")
    return list(NETWORKS).index(name), int(batch), int(threads)


def memory(results):
    """What training needs: as planned at compile time, and as the operating system counted."""
    lines = ["| | planned | peak | PyTorch's peak |", "|---|---:|---:|---:|"]
    for key, found in sorted(results.items(), key=order):
        name, kind, batch, threads = key.split("-")
        ours, theirs = found.get("cnn!", {}), found.get("pytorch", {})
        if kind == "train" and threads == "1" and "peak_bytes" in ours and "peak_bytes" in theirs:
            sizes = ours["planned_bytes"], ours["peak_bytes"], theirs["peak_bytes"]
            cells = " | ".join(f"{size / 1e6:.0f} MB" for size in sizes)
            lines.append(f"| {NETWORKS[name]}, {batch} images | {cells} |")
    return "\n".join(lines)


def section(data):
    """All that stands between the marks."""
    machine, results = data["machine"], data["results"]
    versions = {tool: one["version"] for found in results.values() for tool, one in found.items() if "version" in one}
    # Rows are measured one by one, some again where a change matters to them.
    ours = ", ".join(dict.fromkeys(found["cnn!"]["version"] for found in results.values() if "cnn!" in found))
    tools = ", ".join(f"{name} {versions[tool].split('+')[0]}" for tool, name in NAMES.items() if tool in versions)
    layouts = "PyTorch stands with the faster of its two layouts. " if "pytorch-nhwc" in versions else ""
    made = (
        f"Medians on {machine['cores']} cores of an {machine['processor']} under {machine['system']}, "
        f"in single precision, each tool alone and in turns with the others; cnn! {ours} with "
        f"{machine['rustc'].rsplit(' (', 1)[0]}, {tools}. {layouts}What is blank was not measured."
    )
    tables = {
        "**A forward pass**": table(results, "infer"),
        "**A training step**, with momentum and weight decay": table(results, "train"),
        "**Memory of a training step**": memory(results),
    }
    # Two lines are the head of a table: of what was not measured there are no rows.
    measured = [f"{title}\n\n{rows}" for title, rows in tables.items() if len(rows.splitlines()) > 2]
    return "\n\n".join([made, *measured])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--section", default="speed", help="which of the README's to write")
    parser.add_argument("--json", default=os.path.join(ROOT, "target", "rivals", "results.json"))
    parser.add_argument("--print", action="store_true", help="to the screen instead of the README")
    args = parser.parse_args()
    with open(args.json) as file:
        made = section(json.load(file))
    if args.print:
        print(made)
        return
    path = os.path.join(ROOT, "README.md")
    start, end = f"<!-- {args.section}: made by benches/rivals/table.py -->", f"<!-- end of {args.section} -->"
    with open(path) as file:
        before, rest = file.read().split(start)
    _, after = rest.split(end)
    with open(path, "w") as file:
        file.write(f"{before}{start}\n\n{made}\n\n{end}{after}")


if __name__ == "__main__":
    main()
