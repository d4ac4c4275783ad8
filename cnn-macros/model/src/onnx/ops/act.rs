//! Activations, and other functions of one number.

use super::{live, number};
use crate::onnx::constant::Constant;
use crate::onnx::error::sizes;
use crate::onnx::import::{Live, Node, Value};
use crate::onnx::net::Shape;
use crate::onnx::weight::Weight;

/// Slope and offset of the hard sigmoid, as the language and hard swish have it.
const HARD_SWISH: [f32; 2] = [1.0 / 6.0, 0.5];

pub(super) fn apply(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x = node.live(0)?;
    let attributes = &node.attributes;
    let (kind, args) = match node.proto.op_type.as_str() {
        "Relu" => ("relu", vec![]),
        "LeakyRelu" => ("leaky_relu", vec![attributes.float("alpha", 0.01)?]),
        "Elu" => ("elu", vec![attributes.float("alpha", 1.0)?]),
        "Selu" => ("selu", vec![attributes.float("alpha", 1.673_263_2)?, attributes.float("gamma", 1.050_701)?]),
        "Sigmoid" => ("sigmoid", vec![]),
        "HardSigmoid" => ("hardsigmoid", vec![attributes.float("alpha", 0.2)?, attributes.float("beta", 0.5)?]),
        "HardSwish" => ("hardswish", vec![]),
        "Tanh" => ("tanh", vec![]),
        "Reciprocal" => ("reciprocal", vec![]),
        "Gelu" if attributes.word("approximate", &["none", "tanh"])? == "tanh" => {
            let value = node.net().pointwise("gelu", vec!["tanh".into()], x.value);
            return live(value, x.dims);
        }
        "Gelu" => ("gelu", vec![]),
        "Neg" => {
            let value = affine(node, x.value, -1.0, 0.0)?;
            return live(value, x.dims);
        }
        "Clip" => return clip(node),
        _ => return prelu(node),
    };
    let args = if is_default(kind, &args) { vec![] } else { args.into_iter().map(number).collect() };
    let value = node.net().pointwise(kind, args, x.value);
    live(value, x.dims)
}

/// Whether these are the numbers that the language takes where none are written.
fn is_default(kind: &str, numbers: &[f32]) -> bool {
    match kind {
        "leaky_relu" => numbers == [0.01],
        "elu" => numbers == [1.0],
        "selu" => numbers == [1.673_263_2, 1.050_701],
        "hardsigmoid" => numbers == HARD_SWISH,
        _ => false,
    }
}

/// `mul * x + add`, or `x` itself where that is the same.
pub(super) fn affine(node: &mut Node<'_, '_>, value: usize, mul: f32, add: f32) -> Result<usize, String> {
    if !mul.is_finite() || !add.is_finite() {
        return Err(format!("it computes {mul} * x + {add}"));
    }
    let mut args = Vec::new();
    if mul != 1.0 {
        args.push(format!("mul={}", number(mul)));
    }
    if add != 0.0 {
        args.push(format!("add={}", number(add)));
    }
    Ok(if args.is_empty() { value } else { node.net().pointwise("affine", args, value) })
}

fn clip(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x = node.live(0)?;
    let bound = |index: usize, name: &str, open: f32| -> Result<Option<f32>, String> {
        if node.opset() < 11 {
            return Ok(Some(node.attributes.float(name, open)?).filter(|&bound| bound != open));
        }
        let Some(bound) = node.constant(index)? else { return Ok(None) };
        let bound = bound.single()?.ok_or_else(|| format!("its `{name}` is more than one number"))?;
        match bound {
            bound if bound.is_nan() => Err(format!("its `{name}` is no number")),
            // What no number is beyond is no bound.
            bound if bound.abs() >= f32::MAX && bound.is_sign_negative() == open.is_sign_negative() => Ok(None),
            bound if bound.is_infinite() => Err(format!("its `{name}` is {bound}")),
            bound => Ok(Some(bound)),
        }
    };
    let (lo, hi) = (bound(1, "min", f32::MIN)?, bound(2, "max", f32::MAX)?);
    // ONNX lets the upper bound win where the two cross.
    let lo = match (lo, hi) {
        (Some(lo), Some(hi)) => Some(lo.min(hi)),
        _ => lo,
    };
    let (kind, args) = match (lo, hi) {
        (None, None) => return live(x.value, x.dims),
        (Some(0.0), None) => ("relu", vec![]),
        (Some(0.0), Some(6.0)) => ("relu6", vec![]),
        (lo, hi) => {
            let lo = lo.map(|lo| format!("lo={}", number(lo)));
            let hi = hi.map(|hi| format!("hi={}", number(hi)));
            ("clip", lo.into_iter().chain(hi).collect())
        }
    };
    let value = node.net().pointwise(kind, args, x.value);
    live(value, x.dims)
}

fn prelu(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x = node.live(0)?;
    let slope = node.needed(1)?;
    let shape = Shape::of(&x.dims);
    let channels = shape.map()[0];
    let aligned = super::arithmetic::align(node, &x, &slope)?;
    let (args, weight) = if slope.len() == 1 {
        (vec!["shared".into()], Weight::new(slope, vec![1])?)
    } else if aligned.first() == Some(&channels) && aligned[1..].iter().all(|&size| size == 1) {
        (vec![], Weight::new(slope, vec![channels])?)
    } else {
        return slopes(node, &x, &slope, &aligned);
    };
    let value = node.net().view(x.value, shape);
    let value = node.net().add_with("prelu", args, vec![value], shape, vec![("weight", weight)]);
    live(value, x.dims)
}

/// A slope for each number: what is positive, less the rest times its slope.
fn slopes(node: &mut Node<'_, '_>, x: &Live, slope: &Constant, aligned: &[usize]) -> Result<Value, String> {
    let shape = Shape::of(&x.dims);
    let fits = aligned.iter().zip(&x.dims).all(|(slope, size)| slope == size || *slope == 1);
    if !fits || x.dims.len() > 3 {
        return Err(format!(
            "its slope has shape {}, and its input {} for one sample",
            sizes(&slope.dims),
            sizes(&x.dims)
        ));
    }
    let slopes = Shape::of(aligned);
    let weight = Weight::new(slope.clone(), slopes.map().to_vec())?;
    let value = node.net().view(x.value, Shape::Map(shape.map()));
    let positive = node.net().pointwise("relu", vec![], value);
    let negated = affine(node, value, -1.0, 0.0)?;
    let negative = node.net().pointwise("relu", vec![], negated);
    let (args, tensors) = (vec![Shape::Map(slopes.map()).to_string()], vec![("weight", weight)]);
    let scaled = node.net().add_with("scale", args, vec![negative], Shape::Map(shape.map()), tensors);
    let value = node.net().add("sub", vec![], vec![positive, scaled], Shape::Map(shape.map()));
    live(value, x.dims.clone())
}

/// The function that `value` is of `input` where the product of the two has a name of its own: `silu`, `hardswish`.
pub(super) fn gate(node: &mut Node<'_, '_>, input: usize, value: usize) -> Option<&'static str> {
    let layer = &node.net().layers[value.checked_sub(1)?];
    match layer.kind {
        _ if layer.inputs != [input] => None,
        "sigmoid" => Some("silu"),
        "hardsigmoid" if layer.args.is_empty() => Some("hardswish"),
        _ => None,
    }
}
