//! What a layer costs, and the limits on it.

use cnn_model::window::{MOST_WALKED, walk};

use crate::ir::{Cost, Map, Op, Shape};

/// The most elements of one value, for one sample.
pub const MAX_ELEMENTS: u128 = 1 << 31;
/// The most parameters of one network.
pub const MAX_PARAMS: u64 = 1 << 33;

/// The number of elements of a shape; `None` above 2^128.
pub fn elements(shape: Shape) -> Option<u128> {
    match shape {
        Shape::Map(Map { c, h, w }) => (c as u128 * h as u128).checked_mul(w as u128),
        Shape::Flat(features) => Some(features as u128),
    }
}

/// The cost of a layer; `None` where it does not fit in 64 bits.
pub fn cost(op: &Op, input: Shape, output: Shape) -> Option<Cost> {
    let channels = |shape| match shape {
        Shape::Map(map) => map.c as u128,
        Shape::Flat(features) => features as u128,
    };
    let (taps, bias) = match op {
        Op::Conv { window, groups, bias, .. } => {
            let [kh, kw] = window.kernel.map(|size| size as u128);
            let per_group = channels(input) / *groups as u128;
            (per_group.checked_mul(kh)?.checked_mul(kw)?, *bias)
        }
        Op::ConvTranspose { window, groups, bias, .. } => {
            // Every input goes into the window of each output channel of its group.
            let [kh, kw] = window.kernel.map(|size| size as u128);
            let products = (channels(output) / *groups as u128).checked_mul(kh)?.checked_mul(kw)?;
            let params =
                products.checked_mul(channels(input))?.checked_add(if *bias { channels(output) } else { 0 })?;
            return in_64_bits(params, products.checked_mul(elements(input)?)?);
        }
        Op::Fc { bias } => (elements(input)?, *bias),
        Op::BatchNorm { .. } => return in_64_bits(2 * channels(output), 0),
        Op::Trained { tensor, .. } => return in_64_bits(elements(*tensor)?, 0),
        _ => return Some(Cost::default()),
    };
    let weights = taps.checked_mul(channels(output))?;
    let params = weights.checked_add(if bias { channels(output) } else { 0 })?;
    in_64_bits(params, taps.checked_mul(elements(output)?)?)
}

/// Rows and columns over which the windows of a layer walk, where kernels cannot address so many: a few windows may be far
/// apart.
pub fn too_far(op: &Op, input: Shape, output: Shape) -> Option<[usize; 2]> {
    let (window, from, to) = match op {
        Op::Conv { window, .. } | Op::MaxPool { window } | Op::AvgPool { window, .. } => (window, input, output),
        Op::ConvTranspose { window, .. } => (window, output, input),
        _ => return None,
    };
    let [from, to] = [from, to].map(|shape| shape.to_map()).map(|map| [map.h, map.w]);
    let walked = [0, 1].map(|axis| {
        let padding = [window.pad[axis], window.pad[axis + 2]];
        walk(window.kernel[axis], window.dilation[axis], window.stride[axis], to[axis], from[axis], padding)
    });
    (walked[0].saturating_mul(walked[1]) > MOST_WALKED).then_some(walked)
}

fn in_64_bits(params: u128, macs: u128) -> Option<Cost> {
    Some(Cost { params: u64::try_from(params).ok()?, macs: u64::try_from(macs).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Window;
    use crate::testing::{Builder, lenet5};

    #[test]
    fn lenet5_has_the_published_counts() {
        let graph = lenet5();
        assert_eq!(graph.nodes[0].cost, Cost { params: 156, macs: 28 * 28 * 6 * 25 });
        assert_eq!(graph.cost(), Cost { params: 61_706, macs: 416_520 });
    }

    #[test]
    fn groups_divide_the_weights() {
        let mut net = Builder::new(6, 5, 7);
        net.conv(0, 9, 3, 1, 1, 3);
        assert_eq!(net.graph().cost(), Cost { params: 9 * 2 * 9 + 9, macs: 9 * 2 * 9 * 35 });
    }

    #[test]
    fn convolution_counts_weights_and_products() {
        let window = Window { kernel: [5, 5], stride: [1, 1], dilation: [1, 1], pad: [2; 4] };
        let op = Op::Conv { window, groups: 1, bias: true, direct: false };
        let (input, output) = (Shape::Map(Map { c: 1, h: 28, w: 28 }), Shape::Map(Map { c: 6, h: 28, w: 28 }));
        assert_eq!(cost(&op, input, output), Some(Cost { params: 156, macs: 117_600 }));
        let op = Op::Conv { window, groups: 2, bias: false, direct: false };
        let (input, output) = (Shape::Map(Map { c: 4, h: 7, w: 7 }), Shape::Map(Map { c: 6, h: 7, w: 7 }));
        assert_eq!(cost(&op, input, output), Some(Cost { params: 300, macs: 14_700 }));
    }

    #[test]
    fn transposed_convolution_counts_what_each_input_is_spread_over() {
        let window = Window { kernel: [2, 2], stride: [2, 2], dilation: [1, 1], pad: [0; 4] };
        let op = Op::ConvTranspose { window, groups: 2, bias: true, direct: false };
        let (input, output) = (Shape::Map(Map { c: 8, h: 3, w: 5 }), Shape::Map(Map { c: 6, h: 6, w: 10 }));
        assert_eq!(cost(&op, input, output), Some(Cost { params: 8 * 3 * 4 + 6, macs: 8 * 15 * 3 * 4 }));
    }

    #[test]
    fn sizes_at_the_limit_are_refused_not_wrapped() {
        let huge = Shape::Flat(usize::MAX);
        assert_eq!(cost(&Op::Fc { bias: true }, huge, huge), None);
        let map = Shape::Map(Map { c: usize::MAX, h: usize::MAX, w: usize::MAX });
        assert_eq!(elements(map), None);
    }
}
