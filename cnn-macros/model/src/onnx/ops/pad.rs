//! Padding.

use super::{live, number};
use crate::onnx::error::sizes;
use crate::onnx::import::{Node, Value, position};
use crate::onnx::net::{Shape, elements};
use crate::text;

pub(super) fn pad(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x = node.live(0)?;
    let mode = node.attributes.word("mode", &["constant", "reflect", "edge"])?;
    let (pads, value) = if node.opset() < 11 {
        (node.attributes.ints("pads")?.map(<[i64]>::to_vec), node.attributes.float("value", 0.0)?)
    } else {
        let value = node.constant(2)?.map(|value| value.single()).transpose()?.flatten();
        (node.constant(1)?.map(|pads| pads.few()?.to_known()).transpose()?, value.unwrap_or(0.0))
    };
    let pads = pads.ok_or("its padding is missing")?;
    let rank = node.rank(&x);
    let axes = match node.constant(3)? {
        Some(axes) => {
            axes.few()?.to_known()?.iter().map(|&axis| position(axis, rank)).collect::<Result<Vec<_>, _>>()?
        }
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err(format!("its padding {} is not one of {} axes", sizes(&pads), axes.len()));
    }
    let sides = pads.iter().map(|&pad| usize::try_from(pad)).collect::<Result<Vec<_>, _>>();
    let sides =
        sides.map_err(|_| format!("its padding {} cuts rows or columns off, which is not supported", sizes(&pads)))?;
    let samples = usize::from(node.is_batched());
    let (mut dims, mut sides_of) = (x.dims.clone(), vec![[0; 2]; x.dims.len()]);
    for (index, &axis) in axes.iter().enumerate() {
        let (before, after) = (sides[index], sides[index + axes.len()]);
        if before == 0 && after == 0 {
            continue;
        }
        let axis = axis.checked_sub(samples).ok_or("it pads the axis of samples, which a network keeps apart")?;
        if sides_of[axis] != [0; 2] {
            return Err("it pads an axis twice".into());
        }
        sides_of[axis] = [before, after];
        let padded = dims[axis].checked_add(before).and_then(|size| size.checked_add(after));
        dims[axis] = padded.ok_or("it makes too large a value")?;
        if mode == "reflect" && before.max(after) >= x.dims[axis] {
            return Err(format!("it reflects {} rows of {}", before.max(after), x.dims[axis]));
        }
    }
    elements(&dims)?;
    // Rows and columns are the last two axes; those before them count as channels.
    let place = |axis: usize| dims.len().checked_sub(axis).map(|axis| (axis, sides_of[axis]));
    let (rows, columns) = (place(2), place(1));
    let inner = dims.len().saturating_sub(2);
    if sides_of[..inner].iter().any(|sides| *sides != [0; 2]) {
        return Err(format!("it pads other axes of {} than the last two, which is not supported", sizes(&x.dims)));
    }
    let size = |place: Option<(usize, [usize; 2])>, dims: &[usize]| place.map_or(1, |(axis, _)| dims[axis]);
    let channels: usize = dims[..inner].iter().product();
    let from = Shape::Map([channels, size(rows, &x.dims), size(columns, &x.dims)]);
    let to = Shape::Map([channels, size(rows, &dims), size(columns, &dims)]);
    let [top, bottom] = rows.map_or([0; 2], |(_, sides)| sides);
    let [left, right] = columns.map_or([0; 2], |(_, sides)| sides);
    let pad = [top, left, bottom, right];
    if pad == [0; 4] {
        return live(x.value, x.dims);
    }
    let mut args = vec![text::sides(pad)];
    match mode {
        "constant" if value == 0.0 => {}
        "constant" if value.is_finite() => args.push(format!("value={}", number(value))),
        "constant" => return Err(format!("it pads with {value}")),
        mode => args.push(mode.into()),
    }
    let value = node.net().view(x.value, from);
    let value = node.net().add("pad", args, vec![value], to);
    live(value, dims)
}
