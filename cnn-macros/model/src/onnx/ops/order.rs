//! What moves numbers: transposing and joining.

use super::live;
use crate::onnx::error::sizes;
use crate::onnx::import::{Live, Node, Value, position};
use crate::onnx::net::{Net, Shape};

/// Branches of one join at most, as in the language.
const MOST_BRANCHES: usize = 256;

/// A value whose axes come in another order.
pub(super) fn reordered(net: &mut Net, x: &Live, order: &[usize]) -> Result<Live, String> {
    let dims: Vec<usize> = order.iter().map(|&axis| x.dims[axis]).collect();
    // Axes that stay neighbours move as one; those of size 1 need not move.
    let mut groups: Vec<(usize, usize, usize)> = Vec::new();
    for &axis in order.iter().filter(|&&axis| x.dims[axis] != 1) {
        let before = |last: usize| (last + 1..axis).all(|between| x.dims[between] == 1) && last < axis;
        match groups.last_mut() {
            Some((_, last, size)) if before(*last) => (*last, *size) = (axis, *size * x.dims[axis]),
            _ => groups.push((axis, axis, x.dims[axis])),
        }
    }
    if groups.len() > 3 {
        return Err(format!("it moves more than three axes of {} at once, which is not supported", sizes(&x.dims)));
    }
    if groups.len() < 2 {
        return Ok(Live { value: x.value, dims });
    }
    let mut inputs: Vec<usize> = (0..groups.len()).collect();
    inputs.sort_by_key(|&group| groups[group].0);
    let (mut map, mut places) = ([1; 3], [0, 1, 2]);
    for (place, &group) in inputs.iter().enumerate() {
        map[place] = groups[group].2;
        places[group] = place;
    }
    let value = net.view(x.value, Shape::Map(map));
    Ok(Live { value: net.permute(value, places), dims })
}

/// The order of the axes that a node asks for: the reverse unless it says so.
pub(super) fn permutation(node: &Node<'_, '_>, rank: usize) -> Result<Vec<usize>, String> {
    let order = match node.attributes.ints("perm")? {
        Some(order) => order.iter().map(|&axis| position(axis, rank)).collect::<Result<Vec<_>, _>>()?,
        None => (0..rank).rev().collect(),
    };
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..rank) {
        return Err(format!("its order {} is none of {rank} axes", sizes(&order)));
    }
    Ok(order)
}

pub(super) fn transpose(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x = node.live(0)?;
    let order = permutation(node, node.rank(&x))?;
    let samples = usize::from(node.is_batched());
    if samples == 1 && order[0] != 0 {
        return Err("it moves the axis of samples, which a network keeps apart".into());
    }
    let order: Vec<usize> = order[samples..].iter().map(|axis| axis - samples).collect();
    reordered(node.net(), &x, &order).map(Value::Live)
}

pub(super) fn concat(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let count = node.proto.input.len();
    let parts = (0..count).map(|index| node.live(index)).collect::<Result<Vec<_>, _>>()?;
    let axis = node.attributes.int("axis")?.ok_or("its attribute `axis` is missing")?;
    let axis = node.axis(&parts[0], axis)?;
    if count > MOST_BRANCHES {
        return Err(format!("it joins {count} values: at most {MOST_BRANCHES} are possible"));
    }
    let mut dims = parts[0].dims.clone();
    dims[axis] = 0;
    for part in &parts {
        let others = |dims: &[usize]| {
            dims.iter().enumerate().filter(|(at, _)| *at != axis).map(|(_, size)| *size).collect::<Vec<_>>()
        };
        if part.dims.len() != dims.len() || others(&part.dims) != others(&dims) {
            return Err(format!("it joins shapes {} and {} for one sample", sizes(&parts[0].dims), sizes(&part.dims)));
        }
        dims[axis] = dims[axis].checked_add(part.dims[axis]).ok_or("it makes too large a value")?;
    }
    if count == 1 {
        return live(parts[0].value, dims);
    }
    crate::onnx::net::elements(&dims)?;
    let before: usize = dims[..axis].iter().product();
    let after: usize = dims[axis + 1..].iter().product();
    let values = parts.iter().map(|part| {
        let size = part.dims[axis];
        if before > 1 {
            let value = node.net().view(part.value, Shape::Map([before, size, after]));
            return node.net().permute(value, [1, 0, 2]);
        }
        let shape = if axis == 0 { Shape::of(&part.dims) } else { Shape::Map([size, 1, after]) };
        node.net().view(part.value, shape)
    });
    let values: Vec<usize> = values.collect();
    let size = dims[axis];
    let shape = match before {
        1 if axis == 0 => Shape::of(&dims),
        1 => Shape::Map([size, 1, after]),
        _ => Shape::Map([size, before, after]),
    };
    let mut value = node.net().add("concat", vec![], values, shape);
    if before > 1 {
        value = node.net().permute(value, [1, 0, 2]);
    }
    live(value, dims)
}
