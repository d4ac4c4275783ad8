#!/usr/bin/env python3
"""Holds exported models against ONNX: its checker, and the scores of ONNX Runtime.

    python3 tests/onnx_export/check.py            # all; takes 400 MB of disk in the folder target/onnx_export

Needs onnx, onnxruntime, numpy and safetensors. The models are written first, by the ignored test `exports` of this folder
in a release build. Each has to pass onnx.checker with full_check, whose inferred shapes must agree with those that the
model declares, and ONNX Runtime's scores have to lie within 1e-5 of ours by the largest, for a batch of three and of one.
Which operators there were is printed last.
"""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "target" / "onnx_export"
# How far scores may lie from each other, by the largest of them.
TOLERANCE = 1e-5


def write_models():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file in FOLDER.iterdir():
        file.unlink()
    command = ["cargo", "test", "--release", "--test", "onnx_export", "--", "--ignored", "exports"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "CNN_ONNX_EXPORTS": str(FOLDER)}, check=True)


def distance(found, expected):
    """The largest difference, by the largest magnitude that is expected."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def check(path):
    """Checks one model; returns how far scores lie apart, and its operators."""
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(str(path))
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    # Once as it stands and once as ONNX Runtime rewrites it.
    beside = load_file(path.with_suffix(".safetensors"))
    images, scores = beside["images"], beside["scores"]
    distances = []
    for level in ["ORT_DISABLE_ALL", "ORT_ENABLE_ALL"]:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        for n in [len(images), 1]:
            (found,) = session.run(None, {name: images[:n]})
            assert found.shape == scores[:n].shape, f"{path.stem}: {found.shape} where we have {scores[:n].shape}"
            distances.append(distance(found, scores[:n]))
    # Not Python's `max`, which may pass over what is not a number.
    return np.max(distances), Counter(node.op_type for node in model.graph.node)


def main():
    write_models()
    operators, failed = Counter(), 0
    for path in sorted(FOLDER.glob("*.onnx")):
        worst, found = check(path)
        operators += found
        agrees = worst <= TOLERANCE
        failed += not agrees
        verdict = "agrees" if agrees else "DIFFERS"
        print(f"{path.stem:10}  {sum(found.values()):3} nodes  {path.stat().st_size / 1e6:6.1f} MB  {worst:.1e}  {verdict}")
    print(f"{len(operators)} operators:", ", ".join(f"{name} {count}" for name, count in sorted(operators.items())))
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
