//! Sums, differences, products and quotients, with numpy's broadcasting.

use super::act::{affine, gate};
use super::live;
use crate::onnx::constant::{Constant, Int};
use crate::onnx::error::sizes;
use crate::onnx::import::{Live, Node, Value};
use crate::onnx::net::{Layer, Shape, ValueId, elements};
use crate::onnx::weight::Weight;

pub(super) fn apply(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let operands = (node.value(0)?.clone(), node.value(1)?.clone());
    match operands {
        (Value::Live(a), Value::Live(b)) => {
            let kind = match node.proto.op_type.as_str() {
                "Add" => "add",
                "Sub" => "sub",
                "Mul" => "mul",
                _ => "div",
            };
            joined(node, kind, &a, &b).map(Value::Live)
        }
        (Value::Live(x), Value::Constant(c)) => with_constant(node, x, &c, false),
        (Value::Constant(c), Value::Live(x)) => with_constant(node, x, &c, true),
        _ => Err("its inputs are not known".into()),
    }
}

/// The sum of any number of values.
pub(super) fn sum(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let all = (0..node.proto.input.len()).map(|index| node.live(index)).collect::<Result<Vec<_>, _>>()?;
    let (first, rest) = all.split_first().ok_or("it has no inputs")?;
    if !rest.is_empty() && rest.iter().all(|x| x.dims == first.dims) {
        return Ok(Value::Live(of_equals(node, "add", &all)));
    }
    let sum = rest.iter().try_fold(first.clone(), |sum, x| joined(node, "add", &sum, x));
    sum.map(Value::Live)
}

/// A value whose axes of size 1 are repeated.
pub(super) fn expand(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x = node.live(0)?;
    let asked = node.needed(1)?.few()?.to_ints()?;
    let own = node.full_dims(&x);
    let more = own.len().checked_sub(asked.len());
    let more = more.ok_or_else(|| format!("it makes {} axes of {}", asked.len(), own.len()))?;
    let mut all = [&vec![Int::Known(1); more], &asked[..]].concat();
    if node.is_batched() {
        let samples = all.remove(0);
        if samples != Int::Known(1) && samples != own[0] {
            return Err("it repeats samples, whose number a network keeps".into());
        }
    }
    let wanted = all.iter().map(|size| size.known().and_then(|size| usize::try_from(size).ok()));
    let wanted = wanted.collect::<Option<Vec<_>>>().ok_or("it asks for a size that is negative or not known")?;
    let joint = broadcast(&x.dims, &wanted)?;
    let [map, all] = three([&x.dims, &joint], &joint).ok_or_else(|| too_scattered(&x.dims, &wanted))?;
    if map == all {
        return live(x.value, joint);
    }
    let value = node.net().view(x.value, Shape::Map(map));
    live(expanded(node, value, all), joint)
}

/// The sizes of a constant as they stand against those of one sample.
pub(super) fn align(node: &Node<'_, '_>, x: &Live, constant: &Constant) -> Result<Vec<usize>, String> {
    let (rank, found) = (node.rank(x), &constant.dims);
    let own = match found.len().checked_sub(x.dims.len()) {
        None | Some(0) => found.as_slice(),
        Some(1) if node.is_batched() && found[0] == 1 => &found[1..],
        Some(1) if node.is_batched() => {
            return Err(format!("its constant of shape {} differs from sample to sample", sizes(found)));
        }
        Some(_) => {
            return Err(format!("its constant has {} axes, and the other operand {rank}", found.len()));
        }
    };
    Ok([vec![1; x.dims.len() - own.len()], own.to_vec()].concat())
}

/// The sizes of both operands where each axis that only one has is repeated; no more than a value can have.
fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    let mut joint = Vec::with_capacity(a.len());
    for (&a_size, &b_size) in a.iter().zip(b) {
        joint.push(match (a_size, b_size) {
            (a, b) if a == b => a,
            (1, size) | (size, 1) => size,
            _ => return Err(format!("its operands have shapes {} and {} for one sample", sizes(a), sizes(b))),
        });
    }
    elements(&joint)?;
    Ok(joint)
}

/// Three sizes for each of several shapes of equal rank that are broadcast to `joint`: neighbouring axes become one
/// where all of them are, or none is, repeated.
fn three<const N: usize>(shapes: [&[usize]; N], joint: &[usize]) -> Option<[[usize; 3]; N]> {
    if joint.len() <= 3 {
        return Some(shapes.map(|dims| Shape::of(dims).map()));
    }
    let mut groups: Vec<([bool; N], [usize; N])> = Vec::new();
    for axis in (0..joint.len()).filter(|&axis| joint[axis] != 1) {
        let (repeated, size) = (shapes.map(|dims| dims[axis] == 1), shapes.map(|dims| dims[axis]));
        match groups.last_mut() {
            Some((same, sizes)) if *same == repeated => {
                sizes.iter_mut().zip(size).for_each(|(all, size)| *all *= size);
            }
            _ => groups.push((repeated, size)),
        }
    }
    if groups.len() > 3 {
        return None;
    }
    groups.resize(3, ([false; N], [1; N]));
    let mut maps = [[1; 3]; N];
    for (axis, (_, sizes)) in groups.into_iter().enumerate() {
        for (map, size) in maps.iter_mut().zip(sizes) {
            map[axis] = size;
        }
    }
    Some(maps)
}

fn too_scattered(a: &[usize], b: &[usize]) -> String {
    format!("its operands of shapes {} and {} repeat too many axes in turn", sizes(a), sizes(b))
}

/// The values of equal sizes of which `kind` makes one.
fn of_equals(node: &mut Node<'_, '_>, kind: &'static str, all: &[Live]) -> Live {
    let (shape, dims) = (node.net().shape(all[0].value), all[0].dims.clone());
    let is_shared = all.iter().all(|x| node.net().shape(x.value) == shape);
    let shape = if is_shared { shape } else { Shape::of(&dims) };
    let values = all.iter().map(|x| node.net().view(x.value, shape)).collect();
    Live { value: node.net().add(kind, vec![], values, shape), dims }
}

fn joined(node: &mut Node<'_, '_>, kind: &'static str, a: &Live, b: &Live) -> Result<Live, String> {
    if a.dims.len() != b.dims.len() {
        return Err(format!("its operands have {} and {} axes, which is not supported", node.rank(a), node.rank(b)));
    }
    let joint = broadcast(&a.dims, &b.dims)?;
    if a.dims == b.dims {
        if kind == "mul"
            && let Some((name, input)) = gate(node, a.value, b.value)
                .map(|name| (name, a.value))
                .or_else(|| gate(node, b.value, a.value).map(|name| (name, b.value)))
        {
            let value = node.net().pointwise(name, vec![], input);
            return Ok(Live { value, dims: joint });
        }
        return Ok(of_equals(node, kind, &[a.clone(), b.clone()]));
    }
    let [a_map, b_map, all] =
        three([&a.dims, &b.dims, &joint], &joint).ok_or_else(|| too_scattered(&a.dims, &b.dims))?;
    // The network adds equal shapes only; a product or a quotient repeats axes by itself.
    let strict = kind == "add";
    let values = [(a.value, a_map), (b.value, b_map)].map(|(value, map)| {
        let value = node.net().view(value, Shape::Map(map));
        if strict { expanded(node, value, all) } else { value }
    });
    let value = node.net().add(kind, vec![], values.to_vec(), Shape::Map(all));
    Ok(Live { value, dims: joint })
}

/// A value whose axes of size 1 are repeated to be a map of `all`.
fn expanded(node: &mut Node<'_, '_>, value: ValueId, all: [usize; 3]) -> ValueId {
    let shape = Shape::Map(all);
    if node.net().shape(value) == shape {
        return value;
    }
    node.net().add("expand", vec![shape.to_string()], vec![value], shape)
}

fn with_constant(node: &mut Node<'_, '_>, x: Live, constant: &Constant, first: bool) -> Result<Value, String> {
    let operator = node.proto.op_type.as_str();
    if !constant.is_float() {
        return Err("its constant has whole numbers".into());
    }
    let aligned = align(node, &x, constant)?;
    if let Some(number) = constant.single()? {
        let (mul, add, value) = match (operator, first) {
            ("Add", _) => (1.0, number, x.value),
            ("Sub", false) => (1.0, -number, x.value),
            ("Sub", true) => (-1.0, number, x.value),
            ("Mul", _) => (number, 0.0, x.value),
            (_, false) => (number.recip(), 0.0, x.value),
            (_, true) => (number, 0.0, node.net().pointwise("reciprocal", vec![], x.value)),
        };
        let value = affine(node, value, mul, add)?;
        return live(value, x.dims);
    }
    let joint = broadcast(&x.dims, &aligned)?;
    let [x_map, c_map, all] =
        three([&x.dims, &aligned, &joint], &joint).ok_or_else(|| too_scattered(&x.dims, &aligned))?;
    if operator == "Add" && joint == x.dims && becomes_bias(node, &x, constant, c_map)? {
        return live(x.value, x.dims);
    }
    // Features stay features where the constant has one for each of them.
    let flat = x.dims.len() <= 1;
    let mut value = node.net().view(x.value, if flat { Shape::of(&x.dims) } else { Shape::Map(x_map) });
    if x_map != all {
        value = node.net().view(value, Shape::Map(x_map));
        value = expanded(node, value, all);
    }
    match (operator, first) {
        ("Sub", true) => value = affine(node, value, -1.0, 0.0)?,
        ("Div", true) => value = node.net().pointwise("reciprocal", vec![], value),
        _ => {}
    }
    let shape = node.net().shape(value);
    let channels = shape.map()[0];
    let (args, tensor_shape) = if c_map == [channels, 1, 1] {
        (vec![], vec![channels])
    } else {
        (vec![Shape::Map(c_map).to_string()], c_map.to_vec())
    };
    let weight = Weight::new(constant.clone(), tensor_shape)?;
    let (kind, name, weight) = match (operator, first) {
        ("Add", _) | ("Sub", true) => ("shift", "bias", weight),
        ("Sub", false) => ("shift", "bias", weight.times(-1.0)),
        ("Div", false) => ("scale", "weight", weight.reciprocal()),
        _ => ("scale", "weight", weight),
    };
    let value = node.net().add_with(kind, args, vec![value], shape, vec![(name, weight)]);
    live(value, joint)
}

/// Makes what is added to the channels of a convolution, or to the features of a fully connected layer, its bias, if
/// nothing else reads what it makes and it has none.
fn becomes_bias(node: &mut Node<'_, '_>, x: &Live, constant: &Constant, aligned: [usize; 3]) -> Result<bool, String> {
    let alone = node.alone_reads(x);
    let Some(layer) = x.value.checked_sub(1).filter(|_| alone) else { return Ok(false) };
    let layer: &mut Layer = &mut node.net().layers[layer];
    let channels = layer.output.map()[0];
    if !layer.lacks_bias() || aligned != [channels, 1, 1] || layer.output != Shape::of(&x.dims) {
        return Ok(false);
    }
    layer.tensors.push(("bias", Weight::new(constant.clone(), vec![channels])?));
    Ok(true)
}
