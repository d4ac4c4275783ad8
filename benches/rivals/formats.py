"""Networks in the formats of the tools: a PyTorch module, and files for ONNX, ncnn, LiteRT and Rust.

python formats.py NETWORK BATCH FOLDER [models] [layers]

writes all files of these kinds that are not there yet, so that what a tool is seen to need is without the memory that
this takes: models as tools load them, with what they should answer, and layers one by one, for the crates of Rust.
"""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np

import nets


def torch_module(name):
    """The network as a module of PyTorch's own layers."""
    import torch
    from torch import nn

    class Sum(nn.Module):
        def __init__(self, body, shortcut):
            super().__init__()
            self.body, self.shortcut = body, shortcut

        def forward(self, x):
            return self.body(x) + self.shortcut(x)

    def module(layer):
        kind, options, arrays = layer.kind, layer.options, layer.arrays
        if kind == "conv":
            out, kernel, stride, pad, bias = options
            made = nn.Conv2d(arrays[0].shape[1], out, kernel, stride, pad, bias=bias)
        elif kind == "fc":
            made = nn.Linear(arrays[0].shape[1], arrays[0].shape[0])
        elif kind == "bn":
            made = nn.BatchNorm2d(len(arrays[0]))
        elif kind == "pool":
            return nn.MaxPool2d(*options)
        elif kind == "add":
            return Sum(*map(chain, layer.branches))
        else:
            plain = {"relu": nn.ReLU(inplace=True), "dropout": nn.Dropout(0.5), "lrn": nn.LocalResponseNorm(5, k=2.0)}
            return plain[kind] if kind in plain else nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        parts = ["weight", "bias", "running_mean", "running_var"]
        for part, array in zip(parts, arrays):
            getattr(made, part).data.copy_(torch.from_numpy(array))
        if kind == "fc" and len(options[0]) == 3:
            return nn.Sequential(nn.Flatten(), made)
        return made

    def chain(layers):
        return nn.Sequential(*map(module, layers))

    return chain(nets.layers(name))


def onnx_file(name, folder):
    """Writes the network with a free batch; returns the path."""
    import onnx
    from onnx import helper, numpy_helper

    path = os.path.join(folder, f"{name}.onnx")
    if os.path.exists(path):
        return path
    nodes, weights = [], []

    def node(kind, inputs, arrays=(), **attributes):
        names = [f"w{len(weights) + i}" for i in range(len(arrays))]
        weights.extend(numpy_helper.from_array(array, n) for n, array in zip(names, arrays))
        output = f"x{len(nodes)}"
        nodes.append(helper.make_node(kind, [*inputs, *names], [output], **attributes))
        return output

    def add(layer, x):
        kind, options, arrays = layer.kind, layer.options, layer.arrays
        if kind == "conv":
            _, kernel, stride, pad, _ = options
            window = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
            return node("Conv", [x], arrays, **window)
        if kind == "fc":
            x = node("Flatten", [x]) if len(options[0]) == 3 else x
            return node("Gemm", [x], arrays, transB=1)
        if kind == "bn":
            return node("BatchNormalization", [x], arrays)
        if kind == "pool":
            kernel, stride, pad = options
            return node("MaxPool", [x], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4)
        if kind == "add":
            return node("Add", [chain(branch, x) for branch in layer.branches])
        if kind == "lrn":
            return node("LRN", [x], size=5, alpha=1e-4, beta=0.75, bias=2.0)
        if kind == "mean":
            return node("Flatten", [node("GlobalAveragePool", [x])])
        return node("Relu", [x]) if kind == "relu" else x

    def chain(layers, x):
        for layer in layers:
            x = add(layer, x)
        return x

    shape = ["N", *nets.NETS[name][0]]
    output = chain(nets.layers(name), "input")
    floats = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("input", floats, shape)],
        [helper.make_tensor_value_info(output, floats, ["N", None])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(onnx.shape_inference.infer_shapes(model), path)
    return path


def ncnn_files(name, folder):
    """Writes the network for ncnn, in single precision; returns the paths of its structure and its weights."""
    files = [f"{name}.ncnn.{part}" for part in ("param", "bin")]
    paths = [os.path.join(folder, file) for file in files]
    if all(map(os.path.exists, paths)):
        return paths
    import torch

    image = torch.from_numpy(nets.images(name, 1))
    program = os.path.join(os.path.dirname(sys.executable), "pnnx")
    shape = ",".join(map(str, image.shape))
    # The converter leaves more files behind than these two.
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        with torch.no_grad():
            torch.jit.trace(torch_module(name).eval(), image).save(os.path.join(scratch, f"{name}.pt"))
        arguments = [program, f"{name}.pt", f"inputshape=[{shape}]f32", "fp16=0"]
        subprocess.run(arguments, cwd=scratch, check=True, stdout=subprocess.DEVNULL)
        for file, path in zip(files, paths):
            os.replace(os.path.join(scratch, file), path)
    return paths


def litert_file(name, batch, folder):
    """Writes the network for LiteRT, channels last and with a fixed batch; returns the path."""
    path = os.path.join(folder, f"{name}-{batch}.tflite")
    if os.path.exists(path):
        return path
    import tensorflow as tf

    def add(layer, x):
        kind, options, arrays = layer.kind, layer.options, layer.arrays
        if kind == "conv":
            _, _, stride, pad, bias = options
            x = tf.pad(x, [[0, 0], [pad] * 2, [pad] * 2, [0, 0]]) if pad and stride > 1 else x
            same = "SAME" if pad and stride == 1 else "VALID"
            x = tf.nn.conv2d(x, arrays[0].transpose(2, 3, 1, 0), stride, same)
            return tf.nn.bias_add(x, arrays[1]) if bias else x
        if kind == "fc":
            weight = arrays[0].reshape(-1, *options[0])
            if weight.ndim == 4:
                weight = weight.transpose(0, 2, 3, 1)
            weight = weight.reshape(len(weight), -1)
            return tf.matmul(tf.reshape(x, [batch, -1]), weight.T) + arrays[1]
        if kind == "bn":
            return tf.compat.v1.nn.fused_batch_norm(x, *arrays, epsilon=1e-5, is_training=False)[0]
        if kind == "pool":
            # Zeros serve as padding: what is pooled comes out of relu.
            kernel, stride, pad = options
            x = tf.pad(x, [[0, 0], [pad] * 2, [pad] * 2, [0, 0]]) if pad else x
            return tf.nn.max_pool2d(x, kernel, stride, "VALID")
        if kind == "add":
            body, shortcut = (chain(branch, x) for branch in layer.branches)
            return body + shortcut
        if kind == "lrn":
            return tf.nn.local_response_normalization(x, depth_radius=2, bias=2.0, alpha=1e-4 / 5, beta=0.75)
        if kind == "mean":
            return tf.reduce_mean(x, [1, 2])
        return tf.nn.relu(x) if kind == "relu" else x

    def chain(layers, x):
        for layer in layers:
            x = add(layer, x)
        return x

    channels, height, width = nets.NETS[name][0]
    signature = [tf.TensorSpec([batch, height, width, channels], tf.float32)]
    function = tf.function(lambda x: chain(nets.layers(name), x), input_signature=signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    with open(path, "wb") as file:
        file.write(converter.convert())
    return path


def scores_file(name, folder):
    """Writes PyTorch's scores for the first image, which other tools are held against; returns the path."""
    path = os.path.join(folder, f"{name}.scores.npy")
    if not os.path.exists(path):
        import torch

        with torch.no_grad():
            np.save(path, torch_module(name).eval()(torch.from_numpy(nets.images(name, 1))).numpy()[0])
    return path


def images_file(name, batch, folder):
    """Writes the images, for tools that are not run by Python; returns the path."""
    path = os.path.join(folder, f"{name}-{batch}.images.npy")
    if not os.path.exists(path):
        np.save(path, nets.images(name, batch))
    return path


def chain_files(name, folder):
    """Writes the network's layers, and all weights in the layers' order, for tools that are not run by Python."""
    paths = [os.path.join(folder, f"{name}.{part}") for part in ("chain.json", "weights.npy")]
    if all(map(os.path.exists, paths)):
        return paths
    weights = []

    def plain(layer):
        weights.extend(array.ravel() for array in layer.arrays)
        branches = [list(map(plain, branch)) for branch in layer.branches]
        shapes = [array.shape for array in layer.arrays]
        return {"kind": layer.kind, "options": layer.options, "shapes": shapes, "branches": branches}

    chain = list(map(plain, nets.layers(name)))
    with open(paths[0], "w") as file:
        json.dump(chain, file)
    np.save(paths[1], np.concatenate(weights))
    return paths


if __name__ == "__main__":
    name, batch, folder, *kinds = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
    if "models" in kinds:
        for write in (scores_file, onnx_file, ncnn_files):
            write(name, folder)
        litert_file(name, batch, folder)
    if "layers" in kinds:
        chain_files(name, folder)
        images_file(name, batch, folder)
