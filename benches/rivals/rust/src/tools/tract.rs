//! tract, from the ONNX file, with the batch's size known to its optimizer.

use std::sync::Arc;

use anyhow::Result;
use tract_linalg::multithread::{Executor, set_default_executor};
use tract_onnx::prelude::*;

use super::Work;
use crate::case::Case;

pub struct Forward {
    plan: Arc<TypedRunnableModel>,
    images: TValue,
    scores: Option<TValue>,
}

impl Forward {
    pub fn new(case: &Case) -> Result<Self> {
        if case.threads > 1 {
            set_default_executor(Executor::RayonGlobal);
        }
        let images = case.images()?;
        // The file says of all values, not of the input alone, that their batch is free.
        let reader = tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true);
        let model = reader.model_for_path(case.file(".onnx"))?.with_input_fact(0, f32::fact(&images.shape).into())?;
        let images = Tensor::from_shape(&images.shape, &images.data)?.into();
        Ok(Self { plan: model.into_optimized()?.into_runnable()?, images, scores: None })
    }
}

impl Work for Forward {
    fn run(&mut self) -> Result<()> {
        self.scores = self.plan.run(tvec![self.images.clone()])?.pop();
        Ok(())
    }

    fn scores(&self) -> Result<Vec<f32>> {
        let scores = self.scores.as_ref().expect("it ran");
        Ok(scores.to_plain_array_view::<f32>()?.iter().copied().collect())
    }
}
