"""One tool running one case in a process of its own. `compare.py` starts it and tells it when to measure.

python tool.py TOOL NETWORK TASK BATCH THREADS FOLDER

Prints a line of JSON once it is ready, and one more for each number of seconds that it reads.
"""

import gc
import json
import os
import resource
import statistics
import sys
import time

import numpy as np

import formats
import nets


def torch_forward(name, batch, threads, _folder, layout="nchw", compiled=False):
    import torch

    torch.set_num_threads(threads)
    module, images = formats.torch_module(name).eval(), torch.from_numpy(nets.images(name, batch))
    if layout == "nhwc":
        module, images = (x.to(memory_format=torch.channels_last) for x in (module, images))
    module = torch.compile(module) if compiled else module
    # Not inference_mode: the compiler folds weights only under no_grad.
    torch.set_grad_enabled(False)
    return (lambda: module(images)), (lambda: module(images).numpy()), torch.__version__


def torch_step(name, batch, threads, _folder, layout="nchw", compiled=False):
    import torch

    torch.set_num_threads(threads)
    module, images = formats.torch_module(name).train(), torch.from_numpy(nets.images(name, batch))
    if layout == "nhwc":
        module, images = (x.to(memory_format=torch.channels_last) for x in (module, images))
    classes = module(images[:2]).shape[1]
    labels = torch.tensor([(7 * i + 3) % classes for i in range(batch)])
    sgd = torch.optim.SGD(module.parameters(), lr=1e-4, momentum=0.9, weight_decay=5e-4, fused=True)
    loss = lambda: torch.nn.functional.cross_entropy(module(images), labels)
    loss = torch.compile(loss) if compiled else loss

    def step():
        sgd.zero_grad(set_to_none=True)
        loss().backward()
        sgd.step()

    return step, None, torch.__version__


def onnxruntime_forward(name, batch, threads, folder):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_free_dimension_override_by_name("N", batch)
    session = ort.InferenceSession(formats.onnx_file(name, folder), options, providers=["CPUExecutionProvider"])
    images = nets.images(name, batch)
    output = session.run(None, {"input": images})[0]
    bound = session.io_binding()
    bound.bind_ortvalue_input("input", ort.OrtValue.ortvalue_from_numpy(images))
    values = ort.OrtValue.ortvalue_from_numpy(np.zeros_like(output))
    bound.bind_ortvalue_output(session.get_outputs()[0].name, values)

    def answer():
        session.run_with_iobinding(bound)
        return values.numpy()

    return (lambda: session.run_with_iobinding(bound)), answer, ort.__version__


def openvino_forward(name, batch, threads, folder):
    import openvino as ov

    core = ov.Core()
    model = core.read_model(formats.onnx_file(name, folder))
    images = nets.images(name, batch)
    model.reshape(list(images.shape))
    # Left alone it computes in half precision where the processor can.
    hints = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    request = core.compile_model(model, "CPU", hints).create_infer_request()
    tensor = ov.Tensor(images, shared_memory=True)
    request.set_input_tensor(tensor)

    def run(_kept_alive=(images, tensor)):
        request.start_async()
        request.wait()

    def answer():
        run()
        return np.array(request.get_output_tensor().data)

    return run, answer, ov.__version__.split("-")[0]


def ncnn_forward(name, batch, threads, folder):
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_vulkan_compute = False
    for option in dir(net.opt):
        if option.startswith("use_") and ("16" in option or "int8" in option):
            setattr(net.opt, option, False)
    param, weights = formats.ncnn_files(name, folder)
    net.load_param(param)
    net.load_model(weights)
    images = [ncnn.Mat(np.ascontiguousarray(image)).clone() for image in nets.images(name, batch)]

    # It knows no batches: one image after the other.
    def run():
        outputs = []
        for image in images:
            extractor = net.create_extractor()
            extractor.input("in0", image)
            outputs.append(extractor.extract("out0")[1])
        return outputs

    return run, (lambda: np.stack([np.array(output) for output in run()])), ncnn.__version__


def litert_forward(name, batch, threads, folder):
    import importlib.metadata

    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=formats.litert_file(name, batch, folder), num_threads=threads)
    interpreter.allocate_tensors()
    source, target = (get()[0]["index"] for get in (interpreter.get_input_details, interpreter.get_output_details))
    images = np.ascontiguousarray(nets.images(name, batch).transpose(0, 2, 3, 1))

    def run():
        interpreter.set_tensor(source, images)
        interpreter.invoke()

    def answer():
        run()
        return interpreter.get_tensor(target)

    return run, answer, importlib.metadata.version("ai-edge-litert")


def with_options(function, **options):
    return lambda *arguments: function(*arguments, **options)


TOOLS = {
    "infer": {
        "pytorch": torch_forward,
        "pytorch-nhwc": with_options(torch_forward, layout="nhwc"),
        "pytorch-compiled": with_options(torch_forward, compiled=True),
        "onnxruntime": onnxruntime_forward,
        "openvino": openvino_forward,
        "ncnn": ncnn_forward,
        "litert": litert_forward,
    },
    "train": {
        "pytorch": torch_step,
        "pytorch-nhwc": with_options(torch_step, layout="nhwc"),
        "pytorch-compiled": with_options(torch_step, compiled=True),
    },
}


def measure(run, seconds):
    """The median of the calls within some seconds after a first one: three at least, unless one takes longer."""
    start = time.perf_counter()
    run()
    least = 1 if time.perf_counter() - start > seconds else 3
    times, end = [], time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def error_of(answer, name, batch, folder):
    """The largest difference from PyTorch's scores for the first image, as a part of the largest score."""
    expected = np.load(formats.scores_file(name, folder))
    found = np.array(answer()).reshape(batch, -1)[0]
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def main():
    tool, name, task, batch, threads, folder = sys.argv[1:]
    batch, threads = int(batch), int(threads)
    # Whatever a tool prints must not come between the lines of JSON.
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    run, answer, version = TOOLS[task][tool](name, batch, threads, folder)
    error = error_of(answer, name, batch, folder) if answer else 0.0
    measure(run, 0.1)
    print(json.dumps({"version": version, "error": error}), file=lines)
    gc.collect()
    gc.disable()
    for seconds in sys.stdin:
        median = measure(run, float(seconds))
        peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"median_s": median, "peak_bytes": peak}), file=lines)
    os._exit(0)  # some tools take long to clean up


if __name__ == "__main__":
    main()
