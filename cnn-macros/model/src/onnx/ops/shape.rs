//! What only reads a value's numbers as another shape.

use std::collections::BTreeSet;

use super::live;
use crate::onnx::constant::{Constant, Int, check_axes};
use crate::onnx::error::sizes;
use crate::onnx::import::{Live, Node, Value, position};
use crate::onnx::net::elements;
use crate::onnx::proto::data_type;

const MERGED: &str = "it joins the axis of samples with others, which a network keeps apart";

pub(super) fn flatten(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x = node.live(0)?;
    let rank = node.rank(&x);
    let axis = node.attributes.int("axis")?.unwrap_or(1);
    // The axis behind the last one is possible, too.
    let axis = if usize::try_from(axis).is_ok_and(|axis| axis == rank) { rank } else { position(axis, rank)? };
    if node.is_batched() {
        let before = axis.checked_sub(1).ok_or(MERGED)?;
        if x.dims[..before].iter().any(|&size| size != 1) {
            return Err(MERGED.into());
        }
        return live(x.value, vec![x.dims.iter().product()]);
    }
    let (before, after) = x.dims.split_at(axis);
    live(x.value, vec![before.iter().product(), after.iter().product()])
}

pub(super) fn reshape(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x = node.live(0)?;
    let target = node.needed(1)?.few()?.to_ints()?.to_vec();
    check_axes(target.len())?;
    let (old, batched) = (node.full_dims(&x), node.is_batched());
    let zero_is_zero = node.attributes.flag("allowzero", false)? && target.contains(&Int::Known(0));
    if zero_is_zero {
        return Err("it makes a value without elements".into());
    }
    let copied = target.iter().enumerate().map(|(axis, &size)| match size {
        Int::Known(0) => {
            old.get(axis).copied().ok_or_else(|| format!("it copies axis {axis} of a value that has none"))
        }
        size => Ok(size),
    });
    let target = copied.collect::<Result<Vec<_>, String>>()?;
    let rest = if batched {
        let (&first, rest) = target.split_first().ok_or(MERGED)?;
        // Minus one may stand for the samples where everything else is said.
        let counts_samples = first == old[0] || (first == Int::Known(-1) && !rest.contains(&Int::Known(-1)));
        if !counts_samples {
            return Err(MERGED.into());
        }
        rest
    } else {
        &target
    };
    let all: usize = x.dims.iter().product();
    let known = rest.iter().map(|size| size.known().ok_or(MERGED)).collect::<Result<Vec<_>, _>>()?;
    let given =
        known.iter().filter(|&&size| size != -1).map(|&size| usize::try_from(size).ok().filter(|&size| size > 0));
    let given = given.collect::<Option<Vec<_>>>().ok_or_else(|| format!("it asks for the shape {}", sizes(&known)))?;
    let product = elements(&given)?;
    let dims: Vec<usize> = match known.iter().filter(|&&size| size == -1).count() {
        0 => given,
        1 if all.is_multiple_of(product) => {
            let fill = |&size: &i64| usize::try_from(size).unwrap_or(all / product);
            known.iter().map(fill).collect()
        }
        _ => vec![],
    };
    if dims.iter().product::<usize>() != all || (dims.is_empty() && !known.is_empty()) {
        return Err(format!("{} cannot be read as {} for each sample", sizes(&x.dims), sizes(&known)));
    }
    live(x.value, dims)
}

/// The axes of a node: an attribute before version 13, an input since.
fn axes(node: &Node<'_, '_>) -> Result<Option<Vec<i64>>, String> {
    if node.opset() < 13 {
        return Ok(node.attributes.ints("axes")?.map(<[i64]>::to_vec));
    }
    node.constant(1)?.map(|axes| axes.few()?.to_known()).transpose()
}

pub(super) fn squeeze(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x = node.live(0)?;
    let gone: BTreeSet<usize> = match axes(node)? {
        Some(axes) => axes.iter().map(|&axis| node.axis(&x, axis)).collect::<Result<_, _>>()?,
        None if node.is_batched() => return Err("it does not say which axes go; that of samples stays".into()),
        None => (0..x.dims.len()).filter(|&axis| x.dims[axis] == 1).collect(),
    };
    if let Some(axis) = gone.iter().find(|&&axis| x.dims[axis] != 1) {
        return Err(format!("it removes an axis of size {}", x.dims[*axis]));
    }
    live(x.value, (0..x.dims.len()).filter(|axis| !gone.contains(axis)).map(|axis| x.dims[axis]).collect())
}

pub(super) fn unsqueeze(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x = node.live(0)?;
    let axes = axes(node)?.ok_or("it does not say which axes come")?;
    let samples = usize::from(node.is_batched());
    let rank = node.rank(&x) + axes.len();
    check_axes(rank)?;
    let places = axes.iter().map(|&axis| position(axis, rank)).collect::<Result<BTreeSet<_>, _>>()?;
    if places.len() != axes.len() || (samples == 1 && places.contains(&0)) {
        return Err(format!(
            "it adds the axes {}: each once, and behind that of samples, can be imported",
            sizes(&axes)
        ));
    }
    let mut old = x.dims.iter();
    let dims = (samples..rank).map(|axis| if places.contains(&axis) { Some(1) } else { old.next().copied() });
    live(x.value, dims.flatten().collect())
}

pub(super) fn cast(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x = node.live(0)?;
    // These are about floats of 8 bits.
    node.attributes.ignore(&["saturate", "round_mode"]);
    match node.attributes.int("to")? {
        Some(to) if to == i64::from(data_type::FLOAT) => live(x.value, x.dims),
        _ => Err("it turns numbers into another type than 32-bit floats".into()),
    }
}

/// The shape of a value that layers compute, which is known but for the number of samples.
pub(super) fn shape(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x: Live = node.live(0)?;
    let dims = node.full_dims(&x);
    let bound = |name: &str, default: usize| -> Result<usize, String> {
        let Some(axis) = node.attributes.int(name)? else { return Ok(default) };
        let rank = i64::try_from(dims.len()).unwrap_or(i64::MAX);
        let axis = if axis < 0 { axis.saturating_add(rank) } else { axis };
        Ok(usize::try_from(axis.clamp(0, rank)).unwrap_or(0))
    };
    let (start, end) = (bound("start", 0)?, bound("end", dims.len())?);
    Ok(Value::Constant(Constant::ints(dims.get(start..end).unwrap_or_default().to_vec())))
}
