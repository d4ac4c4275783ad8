//! Convolutions and pools.

use super::{full, live, short, sides};
use crate::onnx::error::sizes;
use crate::onnx::import::{Node, Value};
use crate::onnx::net::{Shape, elements};
use crate::onnx::weight::Weight;
use crate::window;

/// A window, `[rows, columns]`. Of a line it has one row.
struct Window {
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    padding: Padding,
}

/// How an input is padded.
enum Padding {
    /// Top, left, bottom, right.
    Explicit([usize; 4]),
    /// So much that the output is `ceil(input / stride)`; an odd row comes last, or first.
    Same { odd_first: bool },
}

/// Sizes of the model as sizes of the language.
fn positive(values: &[i64], name: &str) -> Result<Vec<usize>, String> {
    let sizes = values.iter().map(|&value| usize::try_from(value).ok().filter(|&size| size > 0));
    let sizes = sizes.collect::<Option<Vec<_>>>();
    sizes.ok_or_else(|| {
        format!("its attribute `{name}` is {}: positive sizes are needed", super::super::error::sizes(values))
    })
}

/// A pair of sizes, of which a line has only the second.
fn two(sizes: &[usize], axes: usize, name: &str) -> Result<[usize; 2], String> {
    match (sizes, axes) {
        (&[w], 1) => Ok([1, w]),
        (&[h, w], 2) => Ok([h, w]),
        _ => Err(format!("its {name} has {} sizes: the input has {axes} for its rows and columns", sizes.len())),
    }
}

impl Window {
    /// The window of a node, whose kernel is known from its weights or else is its attribute.
    fn of(node: &Node<'_, '_>, axes: usize, kernel: Option<&[usize]>) -> Result<Self, String> {
        let attributes = &node.attributes;
        let given = attributes.ints("kernel_shape")?.map(|sizes| positive(sizes, "kernel_shape")).transpose()?;
        let kernel = match (kernel, given) {
            (Some(kernel), Some(given)) if given != kernel => {
                return Err(format!("its kernel is {} and its weights are for {}", sizes(&given), sizes(kernel)));
            }
            (Some(kernel), _) => kernel.to_vec(),
            (None, given) => given.ok_or("its attribute `kernel_shape` is missing")?,
        };
        if kernel.contains(&0) {
            return Err("its kernel has no elements".into());
        }
        let option = |name: &str| match attributes.ints(name)? {
            Some(values) => two(&positive(values, name)?, axes, name),
            None => Ok([1, 1]),
        };
        let (stride, dilation) = (option("strides")?, option("dilations")?);
        let pads = attributes.ints("pads")?;
        let padding = match attributes.word("auto_pad", &["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"])? {
            "SAME_UPPER" => Padding::Same { odd_first: false },
            "SAME_LOWER" => Padding::Same { odd_first: true },
            "VALID" => Padding::Explicit([0; 4]),
            _ => Padding::Explicit(explicit(pads.unwrap_or(&[]), axes)?),
        };
        Ok(Window { kernel: two(&kernel, axes, "kernel")?, stride, dilation, padding })
    }

    fn span(&self, axis: usize) -> Result<usize, String> {
        let span = window::span(self.kernel[axis], self.dilation[axis]);
        if span == usize::MAX { Err("its window is too large".into()) } else { Ok(span) }
    }

    /// Padding, and rows and columns of the output.
    fn on(&self, input: [usize; 2], ceil: bool) -> Result<([usize; 4], [usize; 2]), String> {
        let (mut pad, mut output) = ([0; 4], [0; 2]);
        for axis in 0..2 {
            let (before, after, size) = self.along(axis, input[axis], ceil)?;
            (pad[axis], pad[axis + 2], output[axis]) = (before, after, size);
        }
        Ok((pad, output))
    }

    fn along(&self, axis: usize, input: usize, ceil: bool) -> Result<(usize, usize, usize), String> {
        let (span, stride) = (self.span(axis)?, self.stride[axis]);
        match self.padding {
            Padding::Same { odd_first } => {
                let (output, total) = window::same(input, span, stride).ok_or("its window is too large")?;
                let (less, more) = (total / 2, total - total / 2);
                Ok(if odd_first { (more, less, output) } else { (less, more, output) })
            }
            Padding::Explicit(pad) => {
                let (before, after) = (pad[axis], pad[axis + 2]);
                let (output, _) = window::explicit(input, span, stride, [before, after], ceil).ok_or_else(|| {
                    let padded = input.saturating_add(before).saturating_add(after);
                    format!("its window spans {span} rows or columns, and its padded input has {padded}")
                })?;
                Ok((before, after, output))
            }
        }
    }
}

/// The four sides of `pads`, which lists all beginnings before all ends.
fn explicit(pads: &[i64], axes: usize) -> Result<[usize; 4], String> {
    let sides = pads.iter().map(|&pad| usize::try_from(pad)).collect::<Result<Vec<_>, _>>();
    let sides = sides.map_err(|_| format!("its padding {} is negative", sizes(pads)))?;
    match (&sides[..], axes) {
        ([], _) => Ok([0; 4]),
        (&[left, right], 1) => Ok([0, left, 0, right]),
        (&[top, left, bottom, right], 2) => Ok([top, left, bottom, right]),
        _ => Err(format!("its padding {} is not one of {axes} axes", sizes(pads))),
    }
}

/// The options that differ from the language's defaults.
fn options(window: &Window, pad: [usize; 4], default_stride: [usize; 2]) -> Vec<String> {
    let stride = (window.stride != default_stride).then(|| format!("s{}", short(window.stride)));
    let dilation = (window.dilation != [1, 1]).then(|| format!("d{}", short(window.dilation)));
    let padding = (pad != [0; 4]).then(|| format!("p{}", sides(pad)));
    stride.into_iter().chain(padding).chain(dilation).collect()
}

/// The output's sizes in the model: without the row that a line was given.
fn output(c: usize, [h, w]: [usize; 2], axes: usize) -> Result<(Shape, Vec<usize>), String> {
    let dims = if axes == 1 { vec![c, w] } else { vec![c, h, w] };
    elements(&dims)?;
    Ok((Shape::Map([c, h, w]), dims))
}

/// The weights and the bias of a convolution with this many outputs.
fn tensors(node: &Node<'_, '_>, kernel: [usize; 2], out: usize) -> Result<Vec<(&'static str, Weight)>, String> {
    let weight = node.needed(1)?;
    let shape = vec![weight.dims[0], weight.dims[1], kernel[0], kernel[1]];
    let mut tensors = vec![("weight", Weight::new(weight, shape)?)];
    if let Some(bias) = node.constant(2)? {
        if bias.dims != [out] {
            return Err(format!("its bias has shape {}: [{out}] is needed", sizes(&bias.dims)));
        }
        tensors.push(("bias", Weight::new(bias, vec![out])?));
    }
    Ok(tensors)
}

/// The sizes of the weights: of two axes of channels, then the kernel's.
fn weight_dims(node: &Node<'_, '_>, axes: usize) -> Result<(usize, usize, Vec<usize>), String> {
    let dims = node.needed(1)?.dims;
    match dims[..] {
        [first, second, ref kernel @ ..] if kernel.len() == axes && !dims.contains(&0) => {
            Ok((first, second, kernel.to_vec()))
        }
        _ => Err(format!("its weights have shape {}, which is not one for its input", sizes(&dims))),
    }
}

pub(super) fn conv(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x = node.live(0)?;
    let (value, [c, h, w]) = node.map(&x)?;
    let axes = x.dims.len() - 1;
    let (out, each, kernel) = weight_dims(node, axes)?;
    let groups = groups(node)?;
    if each.checked_mul(groups) != Some(c) || !out.is_multiple_of(groups) {
        return Err(format!(
            "its weights are for {out} outputs of {each} channels each in {groups} groups, and its input has {c} channels"
        ));
    }
    let window = Window::of(node, axes, Some(&kernel))?;
    let (pad, rows) = window.on([h, w], false)?;
    let (shape, dims) = output(out, rows, axes)?;
    let tensors = tensors(node, window.kernel, out)?;
    let mut args = Vec::new();
    let kind = if groups == c && c > 1 { "dwconv" } else { "conv" };
    if kind == "conv" {
        args.push(out.to_string());
    }
    args.push(full(window.kernel));
    args.extend(options(&window, pad, [1, 1]));
    match kind {
        "dwconv" if out != c => args.push(format!("m{}", out / c)),
        "conv" if groups != 1 => args.push(format!("g{groups}")),
        _ => {}
    }
    let value = node.net().add_with(kind, args, vec![value], shape, tensors);
    live(value, dims)
}

fn groups(node: &Node<'_, '_>) -> Result<usize, String> {
    let groups = node.attributes.int("group")?.unwrap_or(1);
    usize::try_from(groups).ok().filter(|&groups| groups > 0).ok_or_else(|| format!("it has {groups} groups"))
}

pub(super) fn conv_transpose(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x = node.live(0)?;
    let (value, [c, h, w]) = node.map(&x)?;
    let axes = x.dims.len() - 1;
    let (inputs, each, kernel) = weight_dims(node, axes)?;
    let groups = groups(node)?;
    let out = each.checked_mul(groups).ok_or("it has too many channels")?;
    if inputs != c || !c.is_multiple_of(groups) {
        return Err(format!(
            "its weights are for {inputs} channels in {groups} groups, and its input has {c} channels"
        ));
    }
    let window = Window::of(node, axes, Some(&kernel))?;
    let extra = transposed_sizes(node, "output_padding", axes)?.unwrap_or([0, 0]);
    let wanted = transposed_sizes(node, "output_shape", axes)?;
    let (mut pad, mut rows, mut extra_rows) = ([0; 4], [0; 2], extra);
    for axis in 0..2 {
        let size = [h, w][axis];
        let reach =
            (size - 1).checked_mul(window.stride[axis]).and_then(|reach| reach.checked_add(window.span(axis).ok()?));
        let reach = reach.and_then(|reach| reach.checked_add(extra[axis])).ok_or("its output is too large")?;
        // Given the size of the output, or that it is a multiple of the input's, the padding follows.
        let goal = match (wanted, &window.padding) {
            (Some(wanted), _) => Some(wanted[axis]),
            (None, Padding::Same { .. }) => {
                Some(size.checked_mul(window.stride[axis]).ok_or("its output is too large")?)
            }
            (None, Padding::Explicit(_)) => None,
        };
        let (before, after) = match (goal, &window.padding) {
            (Some(goal), _) if goal > reach => {
                // Rows beyond what the window reaches are padding behind the output.
                extra_rows[axis] += goal - reach;
                (0, 0)
            }
            (Some(goal), padding) => {
                let total = reach - goal;
                let upper = matches!(padding, Padding::Same { odd_first: false });
                // Beside the size of the output, the word meant the other side before version 11. Since then ONNX
                // Runtime, which kept to that, is not as the text says.
                let less_first = upper == (wanted.is_none() || node.opset() >= 11);
                let (less, more) = (total / 2, total - total / 2);
                if less_first { (less, more) } else { (more, less) }
            }
            (None, Padding::Explicit(sides)) => (sides[axis], sides[axis + 2]),
            (None, Padding::Same { .. }) => (0, 0),
        };
        let reach = reach + (extra_rows[axis] - extra[axis]);
        let left = before.checked_add(after).and_then(|cut| reach.checked_sub(cut)).filter(|&left| left > 0);
        rows[axis] = left.ok_or("its padding leaves nothing of its output")?;
        (pad[axis], pad[axis + 2]) = (before, after);
    }
    let (shape, dims) = output(out, rows, axes)?;
    let tensors = tensors(node, window.kernel, out)?;
    let mut args = vec![out.to_string(), full(window.kernel)];
    args.extend(options(&window, pad, [1, 1]));
    if extra_rows != [0, 0] {
        args.push(format!("o{}", short(extra_rows)));
    }
    if groups != 1 {
        args.push(format!("g{groups}"));
    }
    let value = node.net().add_with("conv_transpose", args, vec![value], shape, tensors);
    live(value, dims)
}

/// A pair of sizes that may be zero.
fn transposed_sizes(node: &Node<'_, '_>, name: &str, axes: usize) -> Result<Option<[usize; 2]>, String> {
    let Some(values) = node.attributes.ints(name)? else { return Ok(None) };
    let found = values.iter().map(|&value| usize::try_from(value)).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|_| format!("its attribute `{name}` is {}", sizes(values)))?;
    let mut found = two(&found, axes, name)?;
    if axes == 1 && name == "output_padding" {
        found[0] = 0;
    }
    Ok(Some(found))
}

pub(super) fn max_pool(node: &mut Node<'_, '_>) -> Result<Value, String> {
    // In which order places are counted in its second output, which nobody may read.
    node.attributes.ignore(&["storage_order"]);
    pool(node, "pool")
}

pub(super) fn average_pool(node: &mut Node<'_, '_>) -> Result<Value, String> {
    pool(node, "avgpool")
}

fn pool(node: &mut Node<'_, '_>, kind: &'static str) -> Result<Value, String> {
    let x = node.live(0)?;
    let (value, [c, h, w]) = node.map(&x)?;
    let axes = x.dims.len() - 1;
    let window = Window::of(node, axes, None)?;
    let ceil = node.attributes.flag("ceil_mode", false)?;
    let counts_padding = kind == "avgpool" && node.attributes.flag("count_include_pad", false)?;
    let (pad, rows) = window.on([h, w], ceil)?;
    let ceil = ceil && window.on([h, w], false).map(|(_, rows)| rows) != Ok(rows);
    for axis in 0..2 {
        let most = window.span(axis)? / 2;
        if pad[axis] > most || pad[axis + 2] > most {
            let kernel = full(window.kernel);
            return Err(format!(
                "its padding {} is more than half of its window {kernel}, which is not supported",
                sizes(&pad)
            ));
        }
        if window.kernel[axis] > 1 && window.dilation[axis] > [h, w][axis] {
            return Err("its dilation steps over its whole input, which is not supported".into());
        }
    }
    let (shape, dims) = output(c, rows, axes)?;
    let mut args = vec![short(window.kernel)];
    args.extend(options(&window, pad, window.kernel));
    if ceil {
        args.push("ceil".into());
    }
    if kind == "avgpool" && !counts_padding && pad != [0; 4] {
        args.push("excludepad".into());
    }
    let value = node.net().add(kind, args, vec![value], shape);
    live(value, dims)
}

/// A pool whose window is the whole map.
pub(super) fn global(node: &mut Node<'_, '_>, kind: &'static str) -> Result<Value, String> {
    let x = node.live(0)?;
    node.batched()?;
    let &[c, ref rows @ ..] = &x.dims[..] else { return Err("its input has no channels".into()) };
    let value = node.net().view(x.value, if rows.is_empty() { Shape::Map([c, 1, 1]) } else { Shape::of(&x.dims) });
    let value = node.net().add(kind, vec!["global".into()], vec![value], Shape::Map([c, 1, 1]));
    live(value, [vec![c], vec![1; rows.len()]].concat())
}
