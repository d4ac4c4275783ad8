//! Normalisations and dropout.

use super::{live, number};
use crate::onnx::error::sizes;
use crate::onnx::import::{Node, Value};
use crate::onnx::net::Shape;
use crate::onnx::weight::Weight;

pub(super) fn batch_normalization(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x = node.live(0)?;
    node.batched()?;
    let attributes = &node.attributes;
    let (eps, kept) = (attributes.float("epsilon", 1e-5)?, attributes.float("momentum", 0.9)?);
    // Before version 14 it is the statistics that it puts out.
    let trains = node.opset() < 14 && node.proto.output.iter().skip(1).any(|name| !name.is_empty());
    if trains || attributes.flag("training_mode", false)? || !attributes.flag("spatial", true)? {
        return Err(
            "it is in training mode, or normalises each pixel: only inference by channels can be imported".into()
        );
    }
    if eps <= 0.0 || !(0.0..=1.0).contains(&kept) {
        return Err(format!("its epsilon is {eps} and its momentum {kept}"));
    }
    let &[channels, ..] = &x.dims[..] else { return Err("its input has no channels".into()) };
    let mut tensors = Vec::new();
    for (index, name) in ["weight", "bias", "running_mean", "running_var"].into_iter().enumerate() {
        let tensor = node.needed(index + 1)?;
        if tensor.dims != [channels] {
            return Err(format!("its {name} has shape {}: [{channels}] is needed", sizes(&tensor.dims)));
        }
        tensors.push((name, Weight::new(tensor, vec![channels])?));
    }
    let mut args = Vec::new();
    if eps != 1e-5 {
        args.push(format!("eps={}", number(eps)));
    }
    // ONNX counts what is kept of the running statistics, the language what a batch adds.
    let momentum = newest(kept);
    if momentum != 0.1 {
        args.push(format!("momentum={}", number(momentum)));
    }
    let shape = Shape::of(&x.dims);
    let value = node.net().view(x.value, shape);
    let value = node.net().add_with("bn", args, vec![value], shape, tensors);
    live(value, x.dims)
}

/// What a batch adds where `kept` is kept: of the numbers whose rest to 1 is `kept`, the shortest one.
fn newest(kept: f32) -> f32 {
    let rest = 1.0 - kept;
    let short = (rest * 1e6).round() / 1e6;
    if 1.0 - short == kept { short } else { rest }
}

pub(super) fn lrn(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x = node.live(0)?;
    let attributes = &node.attributes;
    let size = attributes.int("size")?.ok_or("its attribute `size` is missing")?;
    let (alpha, beta, k) =
        (attributes.float("alpha", 1e-4)?, attributes.float("beta", 0.75)?, attributes.float("bias", 1.0)?);
    if size < 1 || size % 2 == 0 {
        return Err(format!("its size {size} has no middle channel: odd ones can be imported"));
    }
    if alpha < 0.0 || beta <= 0.0 || k <= 0.0 {
        return Err(format!("its alpha is {alpha}, its beta {beta} and its bias {k}, of which powers cannot be taken"));
    }
    let (value, _) = node.map(&x)?;
    let numbers = [("alpha", alpha), ("beta", beta), ("k", k)].map(|(name, value)| format!("{name}={}", number(value)));
    let args = [vec![size.to_string()], numbers.to_vec()].concat();
    let value = node.net().pointwise("lrn", args, value);
    live(value, x.dims)
}

/// Nothing at inference; the rate is kept for training.
pub(super) fn dropout(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x = node.live(0)?;
    node.attributes.ignore(&["seed"]);
    let rate = if node.opset() < 12 {
        node.attributes.float("ratio", 0.5)?
    } else {
        let training = node.constant(2)?.map(|flag| flag.single()).transpose()?.flatten();
        if training.is_some_and(|flag| flag != 0.0) {
            return Err("it is in training mode: export the model for inference".into());
        }
        node.constant(1)?.map(|rate| rate.single()).transpose()?.flatten().unwrap_or(0.5)
    };
    let value = match rate {
        rate if rate > 0.0 && rate < 1.0 => node.net().pointwise("dropout", vec![number(rate)], x.value),
        _ => x.value,
    };
    live(value, x.dims)
}
