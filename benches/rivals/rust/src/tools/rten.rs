//! rten, from the ONNX file, with its weights packed as it loads them.

use anyhow::{Context, Result};
use rten::{Model, ModelOptions, Value};
use rten_tensor::Tensor;
use rten_tensor::prelude::*;

use super::Work;
use crate::case::Case;

pub struct Forward {
    model: Model,
    images: Tensor<f32>,
    scores: Option<Value>,
}

impl Forward {
    pub fn new(case: &Case) -> Result<Self> {
        let model = ModelOptions::with_all_ops().prepack_weights(true).load_file(case.file(".onnx"))?;
        let images = case.images()?;
        Ok(Self { model, images: Tensor::from_data(&images.shape, images.data), scores: None })
    }
}

impl Work for Forward {
    fn run(&mut self) -> Result<()> {
        self.scores = Some(self.model.run_one(self.images.view().into(), None)?);
        Ok(())
    }

    fn scores(&self) -> Result<Vec<f32>> {
        let scores = self.scores.as_ref().expect("it ran").as_tensor_view::<f32>();
        Ok(scores.context("not floats")?.iter().copied().collect())
    }
}
