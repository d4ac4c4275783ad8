//! Means and softmax: what takes axes together.

use std::collections::BTreeSet;

use super::live;
use super::order::reordered;
use crate::onnx::import::{Live, Node, Value};
use crate::onnx::net::Shape;

pub(super) fn mean(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x = node.live(0)?;
    let given = if node.opset() < 18 {
        node.attributes.ints("axes")?.map(<[i64]>::to_vec)
    } else {
        node.constant(1)?.map(|axes| axes.few()?.to_known()).transpose()?
    };
    let keep = node.attributes.flag("keepdims", true)?;
    let nothing = node.attributes.flag("noop_with_empty_axes", false)?;
    let reduced: BTreeSet<usize> = match given.unwrap_or_default() {
        axes if axes.is_empty() && nothing => return live(x.value, x.dims),
        axes if axes.is_empty() && node.is_batched() => {
            return Err("it takes the mean over all samples, which a network keeps apart".into());
        }
        axes if axes.is_empty() => (0..x.dims.len()).collect(),
        axes => axes.iter().map(|&axis| node.axis(&x, axis)).collect::<Result<_, _>>()?,
    };
    let kept: Vec<usize> = (0..x.dims.len()).filter(|axis| !reduced.contains(axis)).collect();
    let dims = if keep {
        (0..x.dims.len()).map(|axis| if reduced.contains(&axis) { 1 } else { x.dims[axis] }).collect()
    } else {
        kept.iter().map(|&axis| x.dims[axis]).collect()
    };
    let count: usize = kept.iter().map(|&axis| x.dims[axis]).product();
    let is_plane = x.dims.len() == 3 && kept == [0];
    let order: Vec<usize> = kept.into_iter().chain(reduced).collect();
    let moved = reordered(node.net(), &x, &order)?;
    let elements: usize = x.dims.iter().product();
    let shape = if is_plane { Shape::of(&x.dims) } else { Shape::Map([count, 1, elements / count]) };
    let value = node.net().view(moved.value, shape);
    let value = node.net().add("avgpool", vec!["global".into()], vec![value], Shape::Map([count, 1, 1]));
    live(value, dims)
}

pub(super) fn softmax(node: &mut Node<'_, '_>, kind: &'static str) -> Result<Value, String> {
    let x = node.live(0)?;
    let rows = node.opset() < 13;
    let axis = node.attributes.int("axis")?.unwrap_or(if rows { 1 } else { -1 });
    let axis = node.axis(&x, axis)?;
    // Before version 13 all axes from this one on counted as one.
    let end = if rows { x.dims.len() } else { axis + 1 };
    let dims: Vec<usize> =
        [&x.dims[..axis], &x.dims[axis..end], &x.dims[end..]].iter().map(|dims| dims.iter().product()).collect();
    let value = match (&dims[..], &x.dims[..]) {
        (&[1, size, 1], _) => {
            let value = node.net().view(x.value, Shape::Flat(size));
            node.net().pointwise(kind, vec![], value)
        }
        (&[1, size, _], &[channels, ..]) if size == channels => {
            let value = node.net().view(x.value, Shape::of(&x.dims));
            node.net().pointwise(kind, vec![], value)
        }
        _ => {
            let moved = reordered(node.net(), &Live { value: x.value, dims: dims.clone() }, &[1, 0, 2])?;
            let value = node.net().view(moved.value, Shape::Map([dims[1], dims[0], dims[2]]));
            let value = node.net().pointwise(kind, vec![], value);
            reordered(node.net(), &Live { value, dims: vec![dims[1], dims[0], dims[2]] }, &[1, 0, 2])?.value
        }
    };
    live(value, x.dims)
}
