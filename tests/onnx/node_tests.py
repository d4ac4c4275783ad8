#!/usr/bin/env python3
"""Runs ONNX's own tests of single operators, as far as they are of operators that can be imported.

    python3 tests/onnx/node_tests.py             # a table, and every refusal with its reason
    python3 tests/onnx/node_tests.py PATTERN     # only tests whose name contains it

Needs onnx and numpy. The tests come with the package onnx (`onnx.backend.test`), each a model of one node with inputs and
the output that belongs to them. They give weights as further inputs; a network has one input, so all inputs but the first
are made constants of the model before it is imported. Nothing else is changed.

A test passes if the network that the macro makes of its model, compiled and run, agrees with the output within the test's
own tolerance; it is refused if the import ends with an error that names what is in the way. Anything else is a failure.
"""

import collections
import subprocess
import sys
import warnings

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test import loader

import harness

OPERATORS = set(
    """Conv ConvTranspose MaxPool AveragePool GlobalAveragePool GlobalMaxPool BatchNormalization LRN Gemm MatMul Relu
    LeakyRelu PRelu Elu Selu Gelu Clip Sigmoid HardSigmoid HardSwish Tanh Softmax LogSoftmax Add Sum Sub Mul Div Concat Flatten
    Reshape Transpose Dropout Identity Expand Pad Resize Upsample ReduceMean Squeeze Unsqueeze Constant""".split()
)


def cases(pattern):
    for case in loader.load_model_tests(kind="node"):
        nodes = case.model.graph.node
        if pattern in case.name and {node.op_type for node in nodes} <= OPERATORS and not any(n.domain for n in nodes):
            yield case


def with_one_input(case):
    """The test's model with all inputs but the first as constants, that input and the output."""
    inputs, outputs = case.data_sets[0]
    model = onnx.ModelProto.FromString(case.model.SerializeToString())
    for info, value in list(zip(model.graph.input, inputs))[1:]:
        if isinstance(value, (np.ndarray, np.generic)):
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), info.name))
    return model, inputs[:1], outputs[0]


def main():
    pattern = sys.argv[1] if len(sys.argv) > 1 else ""
    command, folder = harness.command(), harness.crate("node-tests")
    table, refusals, failures, runnable = collections.defaultdict(collections.Counter), [], [], {}
    for case in cases(pattern):
        operator = case.model.graph.node[0].op_type
        model, inputs, output = with_one_input(case)
        path = folder / "models" / f"{case.name}.onnx"
        path.write_bytes(model.SerializeToString())
        run = subprocess.run([command, "import", path], capture_output=True, text=True)
        if run.returncode == 0:
            harness.save(folder, case.name, inputs[0])
            runnable[case.name] = (operator, output, case)
        elif run.returncode == 1 and run.stderr.strip():
            table[operator]["refused"] += 1
            refusals.append(f"{case.name}: {run.stderr.strip().split(': ', 1)[-1].splitlines()[0]}")
        else:
            table[operator]["failed"] += 1
            failures.append(f"{case.name}: the import ended with {run.returncode}: {run.stderr.strip()}")
    (folder / "src" / "main.rs").write_text(harness.program(runnable))
    harness.build(folder)
    for name, (operator, output, case) in runnable.items():
        run = harness.run(folder, "node-tests", name)
        found = harness.load(folder, name)
        problem = run.stdout.strip() or run.stderr.strip()
        if found is None or run.returncode != 0:
            problem = f"ended with {run.returncode}: {problem}"
        elif found.size != output.size:
            problem = f"{found.size} numbers, expected {output.size}"
        elif not np.allclose(found, output.ravel(), rtol=case.rtol, atol=case.atol):
            problem = f"differs by {np.abs(found - output.ravel()).max()}"
        table[operator]["failed" if problem else "passed"] += 1
        if problem:
            failures.append(f"{name}: {problem}")
    print("\n".join(refusals), "\n")
    print(f"{'operator':20} passed refused failed")
    total = sum(table.values(), collections.Counter())
    for operator, row in [*sorted(table.items()), ("all", total)]:
        print(f"{operator:20} {row['passed']:6} {row['refused']:7} {row['failed']:6}")
    print("\n".join(failures))
    sys.exit(bool(failures))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
