//! What is computed of constants alone, before the network runs.

use super::order::permutation;
use crate::onnx::constant::{Constant, Elements, Int, MOST_MADE_UP, check_axes, len};
use crate::onnx::error::sizes;
use crate::onnx::import::{Node, position};
use crate::onnx::proto::data_type;

/// The constant that a node makes of constants.
pub(super) fn fold(node: &mut Node<'_, '_>) -> Result<Constant, String> {
    match node.proto.op_type.as_str() {
        "Constant" => constant(node),
        "ConstantOfShape" => filled(node),
        "Identity" | "Dropout" => {
            node.attributes.ignore(&["ratio", "seed"]);
            node.needed(0)
        }
        "Shape" => {
            let dims = node.needed(0)?.dims;
            let dims = dims.into_iter().map(|size| i64::try_from(size).map(Int::Known));
            Ok(Constant::ints(dims.collect::<Result<_, _>>().map_err(|_| "it is too large")?))
        }
        "Cast" => cast(node),
        "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => reshaped(node),
        "Transpose" => transpose(node),
        "Concat" => concat(node),
        "Gather" => gather(node),
        "Slice" => slice(node),
        "Add" | "Sub" | "Mul" | "Div" => arithmetic(node),
        "Neg" => each(node, |number| -number),
        "Sqrt" => each(node, f32::sqrt),
        "Reciprocal" => each(node, f32::recip),
        "Relu" => each(node, |number| number.max(0.0)),
        _ => Err("this operator of constants alone cannot be imported".into()),
    }
}

/// An input whose elements are looked at.
fn read(node: &mut Node<'_, '_>, index: usize) -> Result<Constant, String> {
    let constant = node.needed(index)?;
    node.importer.computed.spend(constant.len())?;
    Ok(constant)
}

fn constant(node: &mut Node<'_, '_>) -> Result<Constant, String> {
    let attributes = &node.attributes;
    if let Some(tensor) = attributes.tensor("value", node.importer.folder)? {
        node.importer.computed.own(&tensor);
        return Ok(tensor);
    }
    let float = |float: f32| if float.is_nan() { Err("it is no number".to_string()) } else { Ok(float) };
    if node.proto.attribute.iter().any(|attribute| attribute.name == "value_float") {
        return Ok(Constant::floats(vec![], vec![float(attributes.float("value_float", 0.0)?)?]));
    }
    if let Some(floats) = attributes.floats("value_floats")? {
        return Ok(Constant::floats(vec![floats.len()], floats.to_vec()));
    }
    if let Some(int) = attributes.int("value_int")? {
        return Ok(Constant { dims: vec![], ..Constant::ints(vec![Int::Known(int)]) });
    }
    if let Some(ints) = attributes.ints("value_ints")? {
        return Ok(Constant::ints(ints.iter().copied().map(Int::Known).collect()));
    }
    Err("its value is of a kind that is not supported".into())
}

fn filled(node: &mut Node<'_, '_>) -> Result<Constant, String> {
    let dims = node.needed(0)?.few()?.to_known()?;
    check_axes(dims.len())?;
    let sizes = dims.iter().map(|&size| usize::try_from(size)).collect::<Result<Vec<_>, _>>();
    let sizes = sizes.map_err(|_| "it has a negative size")?;
    let len = len(&sizes).filter(|&len| len <= MOST_MADE_UP);
    let len = len.ok_or_else(|| format!("it makes up more than {MOST_MADE_UP} numbers"))?;
    node.importer.computed.spend(len)?;
    let value = node.attributes.tensor("value", node.importer.folder)?;
    match value {
        Some(value) if value.len() != 1 => Err("its value is more than one number".into()),
        Some(value) if value.is_float() => Ok(Constant::floats(sizes, vec![value.to_floats()?[0]; len])),
        Some(value) => Ok(Constant { dims: sizes, elements: Elements::Ints(vec![value.to_ints()?[0]; len].into()) }),
        None => Ok(Constant::floats(sizes, vec![0.0; len])),
    }
}

fn cast(node: &mut Node<'_, '_>) -> Result<Constant, String> {
    let constant = read(node, 0)?;
    let to = node.attributes.int("to")?.and_then(|to| i32::try_from(to).ok());
    node.attributes.ignore(&["saturate", "round_mode"]);
    match (to, constant.is_float()) {
        (Some(data_type::FLOAT), true) | (Some(data_type::INT32 | data_type::INT64), false) => Ok(constant),
        (Some(data_type::FLOAT), false) => Ok(Constant::floats(constant.dims.clone(), constant.to_floats()?.to_vec())),
        (Some(data_type::INT32 | data_type::INT64), true) => {
            #[allow(clippy::cast_possible_truncation, reason = "this is what the operator does")]
            let ints = constant.to_floats()?.iter().map(|&number| Int::Known(number as i64)).collect();
            Ok(Constant { dims: constant.dims, elements: Elements::Ints(ints) })
        }
        _ => Err("it turns constants into a type that is not supported".into()),
    }
}

fn reshaped(node: &Node<'_, '_>) -> Result<Constant, String> {
    let constant = node.needed(0)?;
    let all = constant.len();
    let rank = constant.dims.len();
    let axes = || -> Result<Option<Vec<i64>>, String> {
        match node.attributes.ints("axes")? {
            Some(axes) => Ok(Some(axes.to_vec())),
            None => node.constant(1)?.map(|axes| axes.few()?.to_known()).transpose(),
        }
    };
    let dims = match node.proto.op_type.as_str() {
        "Reshape" => {
            let target = node.needed(1)?.few()?.to_known()?;
            check_axes(target.len())?;
            node.attributes.ignore(&["allowzero"]);
            let copied = target.iter().enumerate().map(|(axis, &size)| match size {
                0 => constant.dims.get(axis).map(|&size| Some(size)),
                -1 => Some(None),
                size => usize::try_from(size).ok().map(Some),
            });
            let target = copied
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| format!("it asks for the shape {}", sizes(&target)))?;
            let known = len(&target.iter().flatten().copied().collect::<Vec<_>>()).ok_or("it is too large")?;
            target.into_iter().map(|size| size.unwrap_or(all / known.max(1))).collect()
        }
        "Flatten" => {
            let axis = node.attributes.int("axis")?.unwrap_or(1);
            let axis = if usize::try_from(axis) == Ok(rank) { rank } else { position(axis, rank)? };
            vec![constant.dims[..axis].iter().product(), constant.dims[axis..].iter().product()]
        }
        "Squeeze" => {
            let gone = match axes()? {
                Some(axes) => axes.iter().map(|&axis| position(axis, rank)).collect::<Result<Vec<_>, _>>()?,
                None => (0..rank).filter(|&axis| constant.dims[axis] == 1).collect(),
            };
            (0..rank).filter(|axis| !gone.contains(axis)).map(|axis| constant.dims[axis]).collect()
        }
        _ => {
            let axes = axes()?.ok_or("it does not say which axes come")?;
            let rank = rank + axes.len();
            check_axes(rank)?;
            let places = axes.iter().map(|&axis| position(axis, rank)).collect::<Result<Vec<_>, _>>()?;
            let mut old = constant.dims.iter().copied();
            (0..rank).filter_map(|axis| if places.contains(&axis) { Some(1) } else { old.next() }).collect::<Vec<_>>()
        }
    };
    if len(&dims) != Some(all) {
        return Err(format!("{} cannot be read as {}", sizes(&constant.dims), sizes(&dims)));
    }
    Ok(Constant { dims, ..constant })
}

/// The strides of sizes, in elements.
fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis] * dims[axis];
    }
    strides
}

/// The places that are read to fill `dims` in order, where axis `i` steps by `steps[i]`.
fn walk(dims: &[usize], steps: &[usize]) -> impl Iterator<Item = usize> {
    // An axis of size 1 is never stepped along.
    let axes = dims.iter().zip(strides(dims)).zip(steps).filter(|((size, _), _)| **size != 1);
    let axes: Vec<[usize; 3]> = axes.map(|((&size, outer), &step)| [size, outer, step]).collect();
    (0..dims.iter().product())
        .map(move |index: usize| axes.iter().map(|[size, outer, step]| index / outer % size * step).sum())
}

/// The constant whose elements are these of another's.
fn picked(constant: &Constant, dims: Vec<usize>, places: impl Iterator<Item = usize>) -> Result<Constant, String> {
    if constant.is_float() {
        let floats = constant.to_floats()?;
        return Ok(Constant::floats(dims, places.map(|place| floats[place]).collect()));
    }
    let ints = constant.to_ints()?;
    Ok(Constant { dims, elements: Elements::Ints(places.map(|place| ints[place]).collect()) })
}

fn transpose(node: &mut Node<'_, '_>) -> Result<Constant, String> {
    let constant = read(node, 0)?;
    let order = permutation(node, constant.dims.len())?;
    let old = strides(&constant.dims);
    let dims: Vec<usize> = order.iter().map(|&axis| constant.dims[axis]).collect();
    let steps: Vec<usize> = order.iter().map(|&axis| old[axis]).collect();
    let places = walk(&dims, &steps);
    picked(&constant, dims.clone(), places)
}

fn concat(node: &mut Node<'_, '_>) -> Result<Constant, String> {
    let parts = (0..node.proto.input.len()).map(|index| read(node, index)).collect::<Result<Vec<_>, _>>()?;
    node.attributes.ignore(&["axis"]);
    if parts.iter().any(|part| part.dims.len() != 1) {
        return Err("it joins constants that are no lists".into());
    }
    if parts.iter().all(Constant::is_float) {
        let floats = parts.iter().map(Constant::to_floats).collect::<Result<Vec<_>, _>>()?.concat();
        return Ok(Constant::floats(vec![floats.len()], floats));
    }
    let ints = parts.iter().map(Constant::to_ints).collect::<Result<Vec<_>, _>>()?;
    Ok(Constant::ints(ints.concat()))
}

/// The place of an index that may count from the end.
fn index(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add(i64::try_from(len).ok()?)? } else { index };
    usize::try_from(index).ok().filter(|&index| index < len)
}

fn gather(node: &mut Node<'_, '_>) -> Result<Constant, String> {
    let (data, indices) = (read(node, 0)?, read(node, 1)?);
    if data.dims.len() != 1 || node.attributes.int("axis")?.unwrap_or(0) > 0 {
        return Err("it picks from a constant that is no list".into());
    }
    let places = indices.to_known()?.iter().map(|&place| index(place, data.len())).collect::<Option<Vec<_>>>();
    let places = places.ok_or("it picks an element that does not exist")?;
    picked(&data, indices.dims, places.into_iter())
}

fn slice(node: &mut Node<'_, '_>) -> Result<Constant, String> {
    let data = read(node, 0)?;
    if data.dims.len() != 1 {
        return Err("it cuts a constant that is no list".into());
    }
    let number = |input: usize, name: &str, default: i64| -> Result<i64, String> {
        let given = match node.attributes.ints(name)? {
            Some(given) => Some(given.to_vec()),
            None => node.constant(input)?.map(|given| given.few()?.to_known()).transpose()?,
        };
        match given.as_deref() {
            None => Ok(default),
            Some(&[number]) => Ok(number),
            Some(_) => Err("it cuts several axes of a list".into()),
        }
    };
    let (start, end) = (number(1, "starts", 0)?, number(2, "ends", i64::MAX)?);
    if number(4, "steps", 1)? != 1 || !matches!(number(3, "axes", 0)?, 0 | -1) {
        return Err("it cuts in steps, or along an axis that does not exist".into());
    }
    let len = i64::try_from(data.len()).unwrap_or(i64::MAX);
    let bound = |at: i64| if at < 0 { at.saturating_add(len) } else { at }.clamp(0, len) as usize;
    let range = bound(start)..bound(end).max(bound(start));
    picked(&data, vec![range.len()], range)
}

/// The sizes of two constants together, and the steps by which each is read.
fn broadcast(a: &[usize], b: &[usize]) -> Option<(Vec<usize>, [Vec<usize>; 2])> {
    let rank = a.len().max(b.len());
    let padded = |dims: &[usize]| [vec![1; rank - dims.len()], dims.to_vec()].concat();
    let both = [padded(a), padded(b)];
    let joint = both[0].iter().zip(&both[1]).map(|sizes| match sizes {
        (a, b) if a == b => Some(*a),
        (1, size) | (size, 1) => Some(*size),
        _ => None,
    });
    let dims = joint.collect::<Option<Vec<_>>>()?;
    let steps = both.map(|own| {
        let steps = strides(&own);
        (0..rank).map(|axis| if own[axis] == 1 { 0 } else { steps[axis] }).collect()
    });
    Some((dims, steps))
}

fn arithmetic(node: &mut Node<'_, '_>) -> Result<Constant, String> {
    let (a, b) = (node.needed(0)?, node.needed(1)?);
    let joint = broadcast(&a.dims, &b.dims).and_then(|(dims, steps)| Some((len(&dims)?, dims, steps)));
    let (len, dims, [a_steps, b_steps]) =
        joint.ok_or_else(|| format!("its operands have shapes {} and {}", sizes(&a.dims), sizes(&b.dims)))?;
    // A result as large as an operand is not made up. One without elements has operands that are looked at.
    let own = a.len().max(b.len());
    if len > own.max(MOST_MADE_UP) {
        return Err(format!("it makes up more than {MOST_MADE_UP} numbers"));
    }
    node.importer.computed.spend(len.max(own))?;
    let places = walk(&dims, &a_steps).zip(walk(&dims, &b_steps));
    let operator = node.proto.op_type.as_str();
    if !a.is_float() && !b.is_float() {
        let (a, b) = (a.to_known()?, b.to_known()?);
        let compute = |(i, j): (usize, usize)| match operator {
            "Add" => a[i].checked_add(b[j]),
            "Sub" => a[i].checked_sub(b[j]),
            "Mul" => a[i].checked_mul(b[j]),
            _ => a[i].checked_div(b[j]),
        };
        let ints = places.map(|place| compute(place).map(Int::Known)).collect::<Option<_>>();
        return Ok(Constant { dims, elements: Elements::Ints(ints.ok_or("its result cannot be computed")?) });
    }
    let (a, b) = (a.to_floats()?, b.to_floats()?);
    let compute = |(i, j): (usize, usize)| match operator {
        "Add" => a[i] + b[j],
        "Sub" => a[i] - b[j],
        "Mul" => a[i] * b[j],
        _ => a[i] / b[j],
    };
    let floats = places.map(compute).collect();
    Ok(Constant::floats(dims, floats))
}

fn each(node: &mut Node<'_, '_>, compute: impl Fn(f32) -> f32) -> Result<Constant, String> {
    let constant = read(node, 0)?;
    let floats = constant.to_floats()?.iter().map(|&number| compute(number)).collect();
    Ok(Constant::floats(constant.dims, floats))
}
