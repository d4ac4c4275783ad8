//! Resizing.

use super::{live, number, short};
use crate::onnx::error::sizes;
use crate::onnx::import::{Live, Node, Value};
use crate::onnx::net::{Shape, elements};

/// How sizes change along one axis.
#[derive(Clone, Copy)]
struct Axis {
    input: usize,
    output: usize,
    /// The ratio by which places are computed.
    scale: f32,
}

impl Axis {
    fn by_scale(input: usize, scale: f32) -> Result<Self, String> {
        let output = (input as f32 * scale).floor();
        if !(1.0..1e9).contains(&output) {
            return Err(format!("it resizes {input} by {scale}"));
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in this range")]
        let output = output as usize;
        Ok(Axis { input, output, scale })
    }

    fn by_size(input: usize, output: i64) -> Result<Self, String> {
        let output = usize::try_from(output).ok().filter(|&output| output > 0).ok_or("it resizes to nothing")?;
        Ok(Axis { input, output, scale: output as f32 / input as f32 })
    }

    /// Whether the ratio is that of the sizes.
    fn is_exact(self) -> bool {
        self.scale == self.output as f32 / self.input as f32
    }

    /// Whether new pixels lie between old ones where the axis becomes shorter.
    fn skips_fractions(self) -> bool {
        self.scale < 1.0 && !(self.is_exact() && self.input.is_multiple_of(self.output))
    }

    /// The whole number that the size grows by.
    fn factor(self) -> Option<usize> {
        (self.is_exact() && self.output.is_multiple_of(self.input)).then(|| self.output / self.input)
    }
}

pub(super) fn resize(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x = node.live(0)?;
    let attributes = &node.attributes;
    let linear = attributes.word("mode", &["nearest", "linear"])? == "linear";
    if node.opset() < 11 {
        let axes = by_scales(node, &x, 1, None)?;
        let rounding = if linear { "floor" } else { old_rounding(&axes)? };
        return apply(node, &x, &axes, linear, "asymmetric", rounding);
    }
    let coordinates = attributes
        .word("coordinate_transformation_mode", &["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"])?;
    let rounding = attributes.word("nearest_mode", &["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])?;
    attributes.word("keep_aspect_ratio_policy", &["stretch"])?;
    if attributes.flag("antialias", false)? {
        return Err("it smooths what it makes smaller, which is not supported".into());
    }
    // Of use to other modes only.
    attributes.ignore(&["cubic_coeff_a", "exclude_outside", "extrapolation_value"]);
    let named = attributes.ints("axes")?;
    let has_scales = node.has(2) && node.needed(2)?.len() > 0;
    let axes = if has_scales {
        by_scales(node, &x, 2, named)?
    } else {
        let wanted = node.needed(3)?;
        let wanted = wanted.few()?.to_ints()?;
        let places = places(node, &x, named, wanted.len())?;
        let mut axes = all(&x);
        for (place, size) in places.into_iter().zip(wanted.iter()) {
            let Some(axis) = place else { continue };
            axes[axis] = Axis::by_size(x.dims[axis], size.known().unwrap_or(-1))?;
        }
        axes
    };
    apply(node, &x, &axes, linear, coordinates, rounding)
}

/// How version 10 finds the nearest pixel, of which its text says nothing: its own example and ONNX Runtime take the next
/// pixel along an axis that becomes shorter, and the one before along others.
fn old_rounding(axes: &[Axis]) -> Result<&'static str, String> {
    match (axes.iter().any(|axis| axis.skips_fractions()), axes.iter().any(|axis| axis.scale > 1.0)) {
        (true, true) => Err(
            "it makes one axis longer and another shorter by a fraction, whose places this version rounds in two ways"
                .into(),
        ),
        (true, false) => Ok("ceil"),
        (false, _) => Ok("floor"),
    }
}

/// The operator that `Resize` took the place of.
pub(super) fn upsample(node: &mut Node<'_, '_>) -> Result<Value, String> {
    let x = node.live(0)?;
    let linear = node.attributes.word("mode", &["nearest", "linear"])? == "linear";
    let axes = match node.attributes.floats("scales")? {
        Some(scales) => scaled(node, &x, scales, None)?,
        None => by_scales(node, &x, 1, None)?,
    };
    apply(node, &x, &axes, linear, "asymmetric", "floor")
}

/// The axes as they are.
fn all(x: &Live) -> Vec<Axis> {
    x.dims.iter().map(|&size| Axis { input: size, output: size, scale: 1.0 }).collect()
}

/// The axes that `count` numbers are of; `None` for that of samples.
fn places(node: &Node<'_, '_>, x: &Live, named: Option<&[i64]>, count: usize) -> Result<Vec<Option<usize>>, String> {
    if let Some(named) = named {
        let places = named.iter().map(|&axis| node.axis(x, axis).map(Some)).collect::<Result<Vec<_>, _>>()?;
        return if places.len() == count { Ok(places) } else { Err("its axes and sizes differ in number".into()) };
    }
    if count != node.rank(x) {
        return Err(format!("it has {count} sizes for {} axes", node.rank(x)));
    }
    let samples = node.is_batched().then_some(None);
    Ok(samples.into_iter().chain((0..x.dims.len()).map(Some)).collect())
}

fn by_scales(node: &Node<'_, '_>, x: &Live, input: usize, named: Option<&[i64]>) -> Result<Vec<Axis>, String> {
    let scales = node.needed(input)?.few()?.to_floats()?;
    scaled(node, x, &scales, named)
}

fn scaled(node: &Node<'_, '_>, x: &Live, scales: &[f32], named: Option<&[i64]>) -> Result<Vec<Axis>, String> {
    let mut axes = all(x);
    for (place, &scale) in places(node, x, named, scales.len())?.into_iter().zip(scales) {
        match place {
            Some(axis) => axes[axis] = Axis::by_scale(x.dims[axis], scale)?,
            None if scale == 1.0 => {}
            None => return Err("it resizes the axis of samples".into()),
        }
    }
    Ok(axes)
}

fn apply(
    node: &mut Node<'_, '_>,
    x: &Live,
    axes: &[Axis],
    linear: bool,
    coordinates: &str,
    rounding: &str,
) -> Result<Value, String> {
    let (before, plane) = axes.split_at(axes.len().saturating_sub(2));
    if let Some(axis) = before.iter().find(|axis| axis.input != axis.output || !axis.is_exact()) {
        let found = sizes(&x.dims);
        return Err(format!(
            "it resizes another axis of {found} than the last two, from {} to {}",
            axis.input, axis.output
        ));
    }
    let dims: Vec<usize> = axes.iter().map(|axis| axis.output).collect();
    elements(&dims)?;
    let one = Axis { input: 1, output: 1, scale: 1.0 };
    let [h, w] = match *plane {
        [h, w] => [h, w],
        [w] => [one, w],
        _ => return Err("its input is a single number".into()),
    };
    let channels: usize = before.iter().map(|axis| axis.input).product();
    let value = node.net().view(x.value, Shape::Map([channels, h.input, w.input]));
    let output = Shape::Map([channels, h.output, w.output]);
    let (kind, args) = match whole(h, w, linear, coordinates, rounding) {
        Some([1, 1]) => return live(value, dims),
        Some(factors) => {
            let word = if linear { "bilinear" } else { "nearest" };
            ("upsample", vec![short(factors), word.into()])
        }
        None => {
            let mut args = vec![format!("{}x{}", h.output, w.output)];
            args.push(if linear { "bilinear" } else { "nearest" }.into());
            args.extend((coordinates != "half_pixel").then(|| coordinates.into()));
            args.extend((!linear && rounding != "round_prefer_floor").then(|| rounding.into()));
            for (axis, name) in [(h, "scale_h"), (w, "scale_w")] {
                args.extend((!axis.is_exact()).then(|| format!("{name}={}", number(axis.scale))));
            }
            ("resize", args)
        }
    };
    let value = node.net().add(kind, args, vec![value], output);
    live(value, dims)
}

/// The factors by which `upsample` does the same.
fn whole(h: Axis, w: Axis, linear: bool, coordinates: &str, rounding: &str) -> Option<[usize; 2]> {
    let factors = [h.factor()?, w.factor()?];
    let same = match (coordinates, linear) {
        _ if factors == [1, 1] => true,
        ("half_pixel", true) => true,
        // The middle of an old pixel's new ones is never as far as half a pixel away, so that all ways to round agree.
        ("half_pixel" | "pytorch_half_pixel", false) => rounding.starts_with("round"),
        ("pytorch_half_pixel", true) => h.output > 1 && w.output > 1,
        ("asymmetric", false) => rounding == "floor",
        _ => false,
    };
    same.then_some(factors)
}
