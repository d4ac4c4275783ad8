//! A network by hand, as the macro would write it: one fully connected layer from 1x2x3 to 3 with plain loops, and a
//! running mean of what it has seen in training.

use crate::desc::{Fc, LayerOp};
use crate::frame::Frame;
use crate::info::{ArenaPlan, LayerInfo, NetInfo, Role, Slot, TensorInfo};
use crate::layout::Layout;
use crate::network::Network;
use crate::params::Params;

const IN: usize = 6;
const OUT: usize = 3;
const BIAS: usize = 32;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Toy {
    params: Params<Toy>,
}

const fn tensor(name: &'static str, shape: &'static [usize], offset: usize, role: Role) -> TensorInfo {
    TensorInfo { name, shape, offset, fan_in: IN, fan_out: OUT, role, layout: Layout::Plain }
}

static INFO: NetInfo = NetInfo {
    name: "Toy",
    input: [1, 2, 3],
    output: &[OUT],
    params: IN * OUT + OUT,
    macs: (IN * OUT) as u64,
    layers: &[LayerInfo {
        name: "fc",
        text: "fc(3)",
        op: LayerOp::Fc(Fc { inputs: IN, outputs: OUT }),
        inputs: &[usize::MAX],
        output: &[OUT],
        params: IN * OUT + OUT,
        macs: (IN * OUT) as u64,
    }],
    tensors: &[
        tensor("fc.weight", &[OUT, IN], 0, Role::Weight),
        tensor("fc.bias", &[OUT], BIAS, Role::Bias),
        tensor("seen.running_mean", &[1], 0, Role::RunningMean),
    ],
    param_floats: 48,
    state_floats: 16,
    infer: ArenaPlan {
        per_sample: 32,
        fixed: 0,
        part: usize::MAX,
        input: Slot::batch(0, IN),
        output: Slot::batch(16, OUT),
        d_output: Slot::fixed(0, 0),
        d_input: Slot::fixed(0, 0),
    },
    train: ArenaPlan {
        per_sample: 64,
        fixed: 16,
        part: usize::MAX,
        input: Slot::batch(0, IN),
        output: Slot::batch(16, OUT),
        d_output: Slot::batch(32, OUT),
        d_input: Slot::batch(48, IN),
    },
    summary: "",
    dot: "",
    mermaid: "",
    hash: 0,
    weights: None,
};

fn layer(p: &[f32], input: &[f32], output: &mut [f32]) {
    for (x, y) in input.chunks_exact(IN).zip(output.chunks_exact_mut(OUT)) {
        for o in 0..OUT {
            y[o] = p[BIAS + o] + (0..IN).map(|i| p[o * IN + i] * x[i]).sum::<f32>();
        }
    }
}

impl Network for Toy {
    type Input = [[[f32; 3]; 2]; 1];
    type Output = [f32; OUT];
    const INFO: &'static NetInfo = &INFO;

    fn from_params(params: Params<Self>) -> Self {
        Toy { params }
    }

    fn params(&self) -> &Params<Self> {
        &self.params
    }

    fn params_mut(&mut self) -> &mut Params<Self> {
        &mut self.params
    }

    fn infer(p: &[f32], _: &[f32], frame: Frame<'_>, arena: &mut [f32]) {
        let [x, y] = frame.views(arena, [INFO.infer.input, INFO.infer.output]);
        layer(p, x, y);
    }

    fn train_forward(p: &[f32], s: &mut [f32], frame: Frame<'_>, arena: &mut [f32], _: u64) {
        let [x, y] = frame.views(arena, [INFO.train.input, INFO.train.output]);
        layer(p, x, y);
        s[0] = 0.9 * s[0] + 0.1 * x.iter().sum::<f32>() / x.len() as f32;
    }

    fn train_backward(p: &[f32], g: &mut [f32], frame: Frame<'_>, arena: &mut [f32], _: u64, want_input: bool) {
        let [x, d_output, d_input] = frame.views(arena, [INFO.train.input, INFO.train.d_output, INFO.train.d_input]);
        g.fill(0.0);
        if want_input {
            d_input.fill(0.0);
        }
        let samples = x.chunks_exact(IN).zip(d_output.chunks_exact(OUT)).zip(d_input.chunks_exact_mut(IN));
        for ((x, d), d_input) in samples {
            for o in 0..OUT {
                g[BIAS + o] += d[o];
                for i in 0..IN {
                    g[o * IN + i] += d[o] * x[i];
                    if want_input {
                        d_input[i] += d[o] * p[o * IN + i];
                    }
                }
            }
        }
    }
}
