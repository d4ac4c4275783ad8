//! candle, by its own layers; those that it has none for (local response normalisation, padding of pools) by its
//! tensors. Batch normalisation goes into the convolution before it, as candle offers for inference.

use anyhow::{Context, Result, bail};
use candle_core::{D, Device, Tensor};
use candle_nn::{BatchNorm, Conv2d, Conv2dConfig, Linear, Module};

use super::Work;
use crate::case::{Array, Case, Layer};

enum Step {
    Conv(Conv2d),
    Linear(Linear),
    Pool { kernel: usize, stride: usize, pad: usize },
    Add(Vec<Step>, Vec<Step>),
    Relu,
    Lrn,
    Mean,
}

pub struct Forward {
    chain: Vec<Step>,
    images: Tensor,
    scores: Option<Tensor>,
}

impl Forward {
    pub fn new(case: &Case) -> Result<Self> {
        Ok(Self { chain: steps(&case.chain()?)?, images: tensor(&case.images()?)?, scores: None })
    }
}

impl Work for Forward {
    fn run(&mut self) -> Result<()> {
        self.scores = Some(forward(&self.chain, &self.images)?);
        Ok(())
    }

    fn scores(&self) -> Result<Vec<f32>> {
        Ok(self.scores.as_ref().expect("it ran").flatten_all()?.to_vec1()?)
    }
}

fn tensor(array: &Array) -> Result<Tensor> {
    Ok(Tensor::from_vec(array.data.clone(), &array.shape[..], &Device::Cpu)?)
}

fn steps(layers: &[Layer]) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for layer in layers {
        let arrays = layer.arrays.iter().map(tensor).collect::<Result<Vec<_>>>()?;
        let step = match layer.kind.as_str() {
            "conv" => {
                let (stride, padding) = (layer.option(2)?, layer.option(3)?);
                let config = Conv2dConfig { stride, padding, ..Conv2dConfig::default() };
                Step::Conv(Conv2d::new(arrays[0].clone(), arrays.get(1).cloned(), config))
            }
            "bn" => {
                let [weight, bias, mean, variance] = <[_; 4]>::try_from(arrays).ok().context("not four arrays")?;
                let norm = BatchNorm::new(weight.dim(0)?, mean, variance, weight, bias, 1e-5)?;
                let Some(Step::Conv(conv)) = steps.pop() else { bail!("bn behind no convolution") };
                Step::Conv(conv.absorb_bn(&norm)?)
            }
            "fc" => Step::Linear(Linear::new(arrays[0].clone(), arrays.get(1).cloned())),
            "pool" => Step::Pool { kernel: layer.option(0)?, stride: layer.option(1)?, pad: layer.option(2)? },
            "add" => Step::Add(steps_of(layer, 0)?, steps_of(layer, 1)?),
            "relu" => Step::Relu,
            "lrn" => Step::Lrn,
            "mean" => Step::Mean,
            "dropout" => continue,
            kind => bail!("candle: no {kind}"),
        };
        steps.push(step);
    }
    Ok(steps)
}

fn steps_of(layer: &Layer, branch: usize) -> Result<Vec<Step>> {
    steps(layer.branches.get(branch).context("no branch")?)
}

fn forward(chain: &[Step], images: &Tensor) -> Result<Tensor> {
    let mut x = images.clone();
    for step in chain {
        x = match step {
            Step::Conv(conv) => conv.forward(&x)?,
            Step::Linear(linear) => linear.forward(&x.flatten_from(1)?)?,
            &Step::Pool { kernel, stride, pad } => {
                // Zeros serve as padding: what is pooled comes out of relu.
                let padded = x.pad_with_zeros(2, pad, pad)?.pad_with_zeros(3, pad, pad)?;
                padded.max_pool2d_with_stride(kernel, stride)?
            }
            Step::Add(body, shortcut) => (forward(body, &x)? + forward(shortcut, &x)?)?,
            Step::Relu => x.relu()?,
            Step::Lrn => normalize(&x)?,
            Step::Mean => x.mean(D::Minus1)?.mean(D::Minus1)?,
        };
    }
    Ok(x)
}

/// Local response normalisation: divides by the power 0.75 of 2 and a part of the mean square of five channels.
fn normalize(x: &Tensor) -> Result<Tensor> {
    let channels = x.dim(1)?;
    let squares = x.sqr()?.pad_with_zeros(1, 2, 2)?;
    let mut sum = squares.narrow(1, 0, channels)?;
    for channel in 1..5 {
        sum = (sum + squares.narrow(1, channel, channels)?)?;
    }
    Ok((x / sum.affine(1e-4 / 5.0, 2.0)?.powf(0.75)?)?)
}
