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

    /// ONNX's padding counts or does not, all of it. What counts of a padding of both kinds is put around the map
    /// first.
    pub(super) fn avg_pool(&mut self, pool: &Pool) {
        if is_global(pool) {
            let input = self.input();
            return self.node("GlobalAveragePool", &[input], []);
        }
        let mut window = pool.window;
        let (mut input, mut include) = (self.input(), pool.counted == window.pad);
        if is_wide(&window) || !(include || pool.counted == [0; 4]) {
            input = self.padded(&input, pool.counted, 0.0);
            window.pad = std::array::from_fn(|side| window.pad[side] - pool.counted[side]);
            include = false;
        }
        let [kernel, strides, dilations, pads] = attributes(&window);
        let include = int("count_include_pad", usize::from(include));
        self.node("AveragePool", &[input], [kernel, strides, dilations, pads, include]);
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
