//! Matrix products.

use super::live;
use crate::onnx::error::sizes;
use crate::onnx::import::{Node, Value};
use crate::onnx::net::{Shape, elements};
use crate::onnx::weight::Weight;

pub(super) fn gemm(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x = node.live(0)?;
    node.batched()?;
    let attributes = &node.attributes;
    let (alpha, beta) = (attributes.float("alpha", 1.0)?, attributes.float("beta", 1.0)?);
    if attributes.flag("transA", false)? {
        return Err("it transposes its input, so that samples would become features".into());
    }
    let transposed = attributes.flag("transB", false)?;
    let weight = node.needed(1)?;
    let (&[inputs], &[rows, columns]) = (&x.dims[..], &weight.dims[..]) else {
        return Err(format!("it multiplies {} for each sample by {}", sizes(&x.dims), sizes(&weight.dims)));
    };
    let (expected, out) = if transposed { (columns, rows) } else { (rows, columns) };
    if expected != inputs || out == 0 {
        return Err(format!("its weights {} are not for the {inputs} features that it reads", sizes(&weight.dims)));
    }
    let weight = Weight::new(weight, vec![rows, columns])?.times(alpha);
    let mut tensors = vec![("weight", if transposed { weight } else { weight.transposed() })];
    if let Some(bias) = node.constant(2)? {
        if !matches!(bias.dims[..], [] | [_] | [1, _]) {
            return Err(format!("its constant of shape {} differs from sample to sample", sizes(&bias.dims)));
        }
        tensors.push(("bias", Weight::features(bias, out)?.times(beta)));
    }
    let value = node.net().add_with("fc", vec![out.to_string()], vec![x.value], Shape::Flat(out), tensors);
    live(value, vec![out])
}

/// Features times a constant matrix; of several rows of features each by itself.
pub(super) fn matmul(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x = node.live(0)?;
    let weight = node.needed(1)?;
    // A vector is a matrix of one column, which the result does not show.
    let (expected, out, columns) = match weight.dims[..] {
        [expected] => (expected, 1, vec![]),
        [expected, out] => (expected, out, vec![out]),
        _ => (0, 0, vec![]),
    };
    let Some((&inputs, rows)) = x.dims.split_last().filter(|_| expected > 0) else {
        return Err(format!("it multiplies {} for each sample by {}", sizes(&x.dims), sizes(&weight.dims)));
    };
    if expected != inputs || out == 0 {
        return Err(format!("its weights {} are not for the {inputs} features that it reads", sizes(&weight.dims)));
    }
    let weight = Weight::new(weight, vec![inputs, out])?.transposed();
    if rows.is_empty() {
        let value =
            node.net().add_with("fc", vec![out.to_string()], vec![x.value], Shape::Flat(out), vec![("weight", weight)]);
        return live(value, columns);
    }
    // Features become the channels of a 1x1 convolution, and channels features again.
    let weight = weight.read_as(vec![out, inputs, 1, 1]);
    let (count, dims) = (rows.iter().product(), [rows, &columns].concat());
    elements(&dims)?;
    let value = node.net().view(x.value, Shape::Map([count, 1, inputs]));
    let value = node.net().permute(value, [2, 1, 0]);
    let args = vec![out.to_string(), "1x1".into()];
    let value = node.net().add_with("conv", args, vec![value], Shape::Map([out, 1, count]), vec![("weight", weight)]);
    let value = node.net().permute(value, [2, 1, 0]);
    live(value, dims)
}
