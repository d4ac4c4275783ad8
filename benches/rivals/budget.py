"""Where a network's time goes: what the benchmark of kernels measured, times how often each layer occurs.

cargo bench -p cnn-runtime --bench kernels -- --batch 1,8 --json kernels.json
VENV/bin/python benches/rivals/budget.py kernels.json [NETWORK] [--top 8]

Behind each kernel stands how near it is to its limit: the first lines that are far from it are where speed is to be
had. What convolutions write as they go (folded normalisation, sums, relu) costs nothing here. Kernels that a network
needs and the file lacks are named: what they take is missing from the total.
"""

import argparse
import json
from collections import Counter, defaultdict

import nets

# Kernels that a forward pass runs, and those of a training step.
INFER = {kind: ["forward"] for kind in ("conv", "fc", "max pool", "avg pool", "lrn")}
GRADIENTS, POOL = ["d_input", "d_weight"], ["training", "backward"]
TRAIN = {"conv": ["training", *GRADIENTS], "fc": ["forward", *GRADIENTS], "max pool": POOL, "lrn": POOL, "bn": POOL}
TRAIN |= {"add": ["in place"], "avg pool": ["forward", "backward"], "relu": ["forward", "backward"], "sgd": ["momentum"]}


def used(chain, shape):
    """The layers of a chain, by the names that the benchmark gives them, and the shape of its output."""
    found = []
    for kind, *options in chain:
        channels, size = shape[0], shape[-1]
        plane = f"{channels}x{size}x{size}"
        if kind in ("conv", "pool"):
            kernel, stride, pad = options[1:4] if kind == "conv" else options
            size = (size + 2 * pad - kernel) // stride + 1
            shape = (options[0] if kind == "conv" else channels, size, size)
        if kind == "conv":
            found.append(("conv", f"{plane} -> {shape[0]} {kernel}x{kernel}" + (f" s{stride}" if stride > 1 else "")))
        elif kind == "pool":
            found.append(("max pool", f"{plane} {kernel}x{kernel} s{stride}"))
        elif kind == "mean":
            found.append(("avg pool", f"{plane} {size}x{size} s{size}"))
            shape = (channels,)
        elif kind == "fc":
            inputs = channels * size * size if len(shape) == 3 else channels
            shape = (options[0],)
            found.append(("fc", f"{inputs} -> {shape[0]}"))
        elif kind == "add":
            body, after = used(options[0], shape)
            found += body + used(options[1], shape)[0]
            shape = after
            found.append(("add", "x".join(map(str, shape))))
        else:
            names = {"lrn": f"{plane} of 5", "bn": f"{channels} x {size * size}"}
            names["relu"] = plane if len(shape) == 3 else f"{channels}x1x1"
            found += [(kind, names[kind])] if kind in names else []
    return found, shape


def needed(name, task):
    """The kernels that the task runs, one by one."""
    shape, chain = nets.NETS[name]
    layers, before = used(chain, shape)[0] + [("sgd", name)], None
    for index, (kind, layer) in enumerate(layers):
        for direction in task.get(kind, []):
            # Nobody asks for the gradient by the images.
            if (index, direction) == (0, "d_input"):
                continue
            # What multiplies rectifies as it writes.
            if (kind, direction) == ("relu", "forward") and before in ("conv", "fc"):
                continue
            yield kind, layer, direction
        before = kind


def budget(name, task, measured):
    """Seconds of each kernel that the task runs, all its calls together, and the kernels that were not measured."""
    seconds, missing = Counter(), {}
    for key in needed(name, task):
        kind, layer, direction = key
        if key in measured:
            time, of_limit = measured[key]
            seconds[f"{kind} {direction} {layer} ({of_limit:.0%})"] += time
        else:
            missing[f"{kind} {direction} {layer}"] = None
    return seconds, list(missing)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("network", nargs="?", default="")
    parser.add_argument("--top", type=int, default=8)
    args = parser.parse_args()
    runs = defaultdict(dict)
    with open(args.file) as file:
        for one in map(json.loads, file):
            # A step of the optimiser is one of the whole network.
            layer = one["networks"] if one["kernel"] == "sgd" else one["layer"]
            key = one["kernel"], layer, one["direction"]
            runs[one["batch"], one["threads"]][key] = one["median_s"], one["of_limit"]
    for (batch, threads), measured in runs.items():
        for name in ("lenet5", "resnet20", "alexnet", "resnet18", "resnet50"):
            for title, task in (("inference", INFER), ("training", TRAIN)):
                seconds, missing = budget(name, task, measured)
                total = seconds.total()
                if args.network not in name or not total:
                    continue
                print(f"\n{name}, {title}, batches of {batch}, {threads} threads: {1e3 * total:.3f} ms")
                for kernel, time in seconds.most_common(args.top):
                    print(f"{time / total:6.1%} {1e3 * time:10.3f} ms  {kernel}")
                if missing:
                    print(f"not measured: {', '.join(missing)}")


if __name__ == "__main__":
    main()
