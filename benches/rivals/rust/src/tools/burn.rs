//! burn, by its own layers, on the processor's backend that its authors advise, flex.

use anyhow::{Context, Result, bail};
use burn::module::{Module, Param, RunningState};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig, LocalResponseNorm,
    LocalResponseNormConfig, PaddingConfig2d, Relu,
};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig, decay::WeightDecayConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::Work;
use crate::case::{Array, Case, Layer};

#[derive(Module, Debug)]
enum Step {
    Conv(Conv2d),
    Norm(BatchNorm),
    Linear(Linear),
    Pool(MaxPool2d),
    Add(Sum),
    Relu(Relu),
    Lrn(LocalResponseNorm),
    Dropout(Dropout),
    Mean(AdaptiveAvgPool2d),
}

#[derive(Module, Debug)]
struct Sum {
    body: Chain,
    shortcut: Chain,
}

#[derive(Module, Debug)]
struct Chain {
    steps: Vec<Step>,
}

impl Chain {
    fn new(layers: &[Layer], device: &Device) -> Result<Self> {
        let steps = layers.iter().map(|layer| Step::new(layer, device)).collect::<Result<_>>()?;
        Ok(Self { steps })
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        self.steps.iter().fold(images, |x, step| step.forward(x))
    }
}

impl Step {
    fn new(layer: &Layer, device: &Device) -> Result<Self> {
        let arrays = &layer.arrays[..];
        Ok(match layer.kind.as_str() {
            "conv" => {
                let [out, channels, height, width] = arrays[0].shape[..] else { bail!("not four sizes") };
                let config = Conv2dConfig::new([channels, out], [height, width]).with_stride([layer.option(2)?; 2]);
                let config = config.with_padding(padding(layer.option(3)?)).with_bias(arrays.len() > 1);
                let mut conv = config.init(device);
                conv.weight = parameter(&arrays[0], device);
                conv.bias = arrays.get(1).map(|bias| parameter(bias, device));
                Self::Conv(conv)
            }
            "bn" => {
                let [gamma, beta, mean, variance] = arrays else { bail!("not four arrays") };
                let mut norm = BatchNormConfig::new(gamma.data.len()).init(device);
                (norm.gamma, norm.beta) = (parameter(gamma, device), parameter(beta, device));
                norm.running_mean = RunningState::new(tensor(mean, device));
                norm.running_var = RunningState::new(tensor(variance, device));
                Self::Norm(norm)
            }
            "fc" => {
                let [outputs, inputs] = arrays[0].shape[..] else { bail!("not two sizes") };
                let mut linear = LinearConfig::new(inputs, outputs).init(device);
                linear.weight = Param::from_tensor(tensor(&transposed(&arrays[0]), device));
                linear.bias = arrays.get(1).map(|bias| parameter(bias, device));
                Self::Linear(linear)
            }
            "pool" => {
                let config = MaxPool2dConfig::new([layer.option(0)?; 2]).with_strides([layer.option(1)?; 2]);
                Self::Pool(config.with_padding(padding(layer.option(2)?)).init())
            }
            "add" => {
                let [body, shortcut] = &layer.branches[..] else { bail!("not two branches") };
                Self::Add(Sum { body: Chain::new(body, device)?, shortcut: Chain::new(shortcut, device)? })
            }
            "relu" => Self::Relu(Relu::new()),
            "lrn" => Self::Lrn(LocalResponseNormConfig::new(5).with_k(2.0).init()),
            "dropout" => Self::Dropout(DropoutConfig::new(0.5).init()),
            "mean" => Self::Mean(AdaptiveAvgPool2dConfig::new([1, 1]).init()),
            kind => bail!("burn: no {kind}"),
        })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Conv(conv) => conv.forward(x),
            Self::Norm(norm) => norm.forward(x),
            Self::Linear(linear) => linear.forward(x.flatten::<2>(1, 3)).unsqueeze_dims(&[2, 3]),
            Self::Pool(pool) => pool.forward(x),
            Self::Add(Sum { body, shortcut }) => body.forward(x.clone()) + shortcut.forward(x),
            Self::Relu(relu) => relu.forward(x),
            Self::Lrn(lrn) => lrn.forward(x),
            Self::Dropout(dropout) => dropout.forward(x),
            Self::Mean(mean) => mean.forward(x),
        }
    }
}

fn padding(pad: usize) -> PaddingConfig2d {
    if pad == 0 { PaddingConfig2d::Valid } else { PaddingConfig2d::Explicit(pad, pad, pad, pad) }
}

fn tensor<const D: usize>(array: &Array, device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(array.data.clone(), array.shape.clone()), device)
}

fn parameter<const D: usize>(array: &Array, device: &Device) -> Param<Tensor<D>> {
    Param::from_tensor(tensor(array, device))
}

/// A matrix in the order of burn's, a row for each input.
fn transposed(array: &Array) -> Array {
    let (rows, columns) = (array.shape[0], array.shape[1]);
    let data = (0..columns).flat_map(|column| (0..rows).map(move |row| array.data[row * columns + column]));
    Array { shape: vec![columns, rows], data: data.collect() }
}

pub struct Forward {
    chain: Chain,
    images: Tensor<4>,
    scores: Option<Tensor<4>>,
}

impl Forward {
    pub fn new(case: &Case) -> Result<Self> {
        let device = Device::flex();
        let chain = Chain::new(&case.chain()?, &device)?;
        Ok(Self { chain, images: tensor(&case.images()?, &device), scores: None })
    }
}

impl Work for Forward {
    fn run(&mut self) -> Result<()> {
        self.scores = Some(self.chain.forward(self.images.clone()));
        Ok(())
    }

    fn scores(&self) -> Result<Vec<f32>> {
        let scores = self.scores.clone().expect("it ran").into_data();
        scores.try_to_vec().ok().context("not floats")
    }
}

/// A step of gradient descent, as that of PyTorch in `tool.py`.
pub struct Train {
    /// Taken from here while a step runs.
    chain: Option<Chain>,
    sgd: ModuleOptimizer,
    loss: CrossEntropyLoss,
    images: Tensor<4>,
    labels: Tensor<1, Int>,
}

impl Train {
    pub fn new(case: &Case) -> Result<Self> {
        let device = Device::flex().autodiff();
        let layers = case.chain()?;
        let classes = layers.last().and_then(|layer| Some(layer.arrays.first()?.shape[0])).context("no classes")?;
        let labels: Vec<i64> = (0..case.batch).map(|i| ((7 * i + 3) % classes) as i64).collect();
        let momentum = MomentumConfig { momentum: 0.9, dampening: 0.0, nesterov: false };
        let sgd = SgdConfig::new().with_momentum(Some(momentum));
        Ok(Self {
            chain: Some(Chain::new(&layers, &device)?),
            sgd: sgd.with_weight_decay(Some(WeightDecayConfig { penalty: 5e-4 })).init(),
            loss: CrossEntropyLossConfig::new().init(&device),
            images: tensor(&case.images()?, &device),
            labels: Tensor::from_data(TensorData::new(labels, [case.batch]), &device),
        })
    }
}

impl Work for Train {
    fn run(&mut self) -> Result<()> {
        let chain = self.chain.take().context("the step before failed")?;
        let scores = chain.forward(self.images.clone()).flatten::<2>(1, 3);
        let gradients = self.loss.forward(scores, self.labels.clone()).backward();
        let gradients = GradientsParams::from_grads(gradients, &chain);
        self.chain = Some(self.sgd.step(1e-4, chain, gradients));
        Ok(())
    }

    fn scores(&self) -> Result<Vec<f32>> {
        bail!("a step has no scores")
    }
}
