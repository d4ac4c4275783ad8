//! Pooling.

use cnn_model::onnx::proto::AttributeProto;

use super::attribute::{int, ints};
use super::graph::Layer;
use super::layer::around;
use crate::desc::{Map, Pool, Window};

impl Layer<'_> {
    pub(super) fn max_pool(&mut self, pool: &Pool) {
        if is_global(pool) {
            let input = self.input();
            return self.node("GlobalMaxPool", &[input], []);
        }
        let mut window = pool.window;
        let mut input = self.input();
        if is_wide(&window) {
            input = self.padded(&input, window.pad, f32::NEG_INFINITY);
            window.pad = [0; 4];
        }
        self.node("MaxPool", &[input], attributes(&window));
    }

    /// ONNX's padding counts or does not, all of it. Where some does, or ONNX Runtime would refuse it, zeros are put
    /// around the map first and all of them count; what is too small thereby grows again.
    pub(super) fn avg_pool(&mut self, pool: &Pool) {
        let mut input = self.input();
        if is_global(pool) {
            return self.node("GlobalAveragePool", &[input], []);
        }
        let mut window = pool.window;
        let include = pool.counted == window.pad;
        if !is_wide(&window) && (include || pool.counted == [0; 4]) {
            let [kernel, strides, dilations, pads] = attributes(&window);
            let include = int("count_include_pad", usize::from(include));
            return self.node("AveragePool", &[input], [kernel, strides, dilations, pads, include]);
        }
        input = self.padded(&input, window.pad, 0.0);
        window.pad = [0; 4];
        if include {
            return self.node("AveragePool", &[input], attributes(&window));
        }
        let mean = self.part("mean", "AveragePool", &[input], attributes(&window));
        let growth = self.floats("growth", &[pool.output.h, pool.output.w], &growth(pool));
        self.node("Mul", &[mean, growth], []);
    }

    /// A value with padding around it.
    fn padded(&mut self, input: &str, pad: [usize; 4], value: f32) -> String {
        let (pads, value) = (self.ints("pads", &around(pad)), self.float("value", value));
        self.part("padded", "Pad", &[input.to_owned(), pads, value], [])
    }
}

/// Whether there is one window, of the whole map.
fn is_global(pool: &Pool) -> bool {
    let Pool { input: Map { h, w, .. }, window, .. } = *pool;
    window.kernel == [h, w] && window.pad == [0; 4] && window.dilation == [1; 2] && pool.output.plane() == 1
}

/// How many times larger a mean over what counts is than one over whole windows, for each position.
fn growth(pool: &Pool) -> Vec<f32> {
    let [rows, columns] = [(0, pool.input.h, pool.output.h), (1, pool.input.w, pool.output.w)].map(|axis| {
        let (axis, input, output) = axis;
        let Window { kernel, stride, dilation, pad } = pool.window;
        let counts = pad[axis] - pool.counted[axis]..pad[axis] + input + pool.counted[axis + 2];
        let taps = |position: usize| (0..kernel[axis]).map(move |tap| position * stride[axis] + tap * dilation[axis]);
        let share =
            move |position| taps(position).filter(|at| counts.contains(at)).count() as f32 / kernel[axis] as f32;
        (0..output).map(share).collect::<Vec<_>>()
    });
    rows.iter().flat_map(|row| columns.iter().map(move |column| 1.0 / (row * column))).collect()
}

/// Whether some side has padding of a whole window, which ONNX Runtime refuses.
fn is_wide(window: &Window) -> bool {
    (0..4).any(|side| window.pad[side] >= window.kernel[side % 2])
}

fn attributes(window: &Window) -> [AttributeProto; 4] {
    [
        ints("kernel_shape", &window.kernel),
        ints("strides", &window.stride),
        ints("dilations", &window.dilation),
        ints("pads", &window.pad),
    ]
}
