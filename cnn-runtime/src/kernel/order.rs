//! Maps from one order in memory to another.

use super::pieces::{each, part};
use super::scratch::{self, Use};
use super::sixteen::{Lanes, vectors, vectors_mut};
use super::wide::wide;
use crate::desc::{Map, Order, Pool};

/// Positions that are moved together: their block of channels fills the first-level cache in part only.
const POSITIONS: usize = 64;

/// Asserts that a layer knows the order in which a map of its stands.
pub(crate) fn check_order(layer: &str, order: Order, known: &[Order]) {
    assert!(known.contains(&order), "{layer}: a map in the order {order:?}, where it knows {known:?}");
}

/// Writes `n` samples, which stand as `map` says, in the other order: NCHW those in blocks or groups, in blocks those in NCHW.
///
/// # Panics
/// If the lengths do not fit, or the channels are not whole blocks.
pub fn change(map: &Map, n: usize, from: &[f32], to: &mut [f32]) {
    assert_eq!([from.len(), to.len()], [n * map.len(); 2], "order: both sides of {n} samples");
    if map.is_batched() {
        return regroup(map, n, from, to, apart);
    }
    assert!(map.c.is_multiple_of(Order::BLOCK), "whole blocks of channels");
    let (plane, len) = (map.plane(), Order::BLOCK * map.plane());
    let blocked = map.is_blocked();
    // A block of channels is the same stretch of memory in both orders.
    each(to, len, from.len(), |block, to| {
        let from = part(from, block, len);
        if blocked { apart(plane, from, to) } else { together(plane, from, to) }
    });
}

/// Writes `n` samples in NCHW order in groups of sixteen.
///
/// # Panics
/// If the lengths do not fit.
pub fn group(map: &Map, n: usize, from: &[f32], to: &mut [f32]) {
    assert_eq!([from.len(), to.len()], [n * map.len(); 2], "order: both sides of {n} samples");
    regroup(map, n, from, to, together);
}

/// Has `turn` turn the groups over, whose samples are rows on the one side and columns on the other.
fn regroup(map: &Map, n: usize, from: &[f32], to: &mut [f32], turn: impl Fn(usize, &[f32], &mut [f32]) + Sync) {
    let grouped = Order::grouped(n) * map.len();
    to[grouped..].copy_from_slice(&from[grouped..]);
    let len = Order::BLOCK * map.len();
    each(&mut to[..grouped], len, grouped, |group, to| turn(map.len(), part(from, group, len), to));
}

/// Has `write` write whole groups of samples, which stand as `map` says once they are written.
fn write_groups(map: &Map, to: &mut [f32], write: impl FnOnce(&mut [f32])) {
    if map.is_batched() || to.is_empty() {
        return write(to);
    }
    let mut groups = scratch::lend(Use::Outer, to.len());
    write(&mut groups);
    change(&Map { order: Order::Chwn16, ..*map }, to.len() / map.len(), &groups, to);
}

/// Has `read` read whole groups of samples, which stand as `map` says.
fn read_groups(map: &Map, from: &[f32], read: impl FnOnce(&[f32])) {
    if map.is_batched() || from.is_empty() {
        return read(from);
    }
    let mut groups = scratch::lend(Use::Outer, from.len());
    group(map, from.len() / map.len(), from, &mut groups);
    read(&groups);
}

/// Runs a pooling layer whose inputs stand in groups: `run` on the groups, as samples with their channels in blocks, and on
/// the samples behind them in NCHW order. `places` has one for each output, or none.
pub(crate) fn pool_groups(
    d: &Pool,
    n: usize,
    input: &[f32],
    output: &mut [f32],
    places: &mut [u16],
    run: impl Fn(&Pool, usize, &[f32], &mut [f32], &mut [u16]),
) {
    let grouped = Order::grouped(n);
    let (input, last_input) = input.split_at(grouped * d.input.len());
    let (output, last_output) = output.split_at_mut(grouped * d.output.len());
    let (places, last_places) = places.split_at_mut(output.len().min(places.len()));
    write_groups(&d.output, output, |output| run(&d.group(), grouped / Order::BLOCK, input, output, places));
    run(&d.plain(), n - grouped, last_input, last_output, last_places);
}

/// As [`pool_groups`], from the gradients by the outputs to those by the inputs.
pub(crate) fn pool_groups_backward(
    d: &Pool,
    n: usize,
    places: &[u16],
    d_output: &[f32],
    d_input: &mut [f32],
    run: impl Fn(&Pool, usize, &[u16], &[f32], &mut [f32]),
) {
    let grouped = Order::grouped(n);
    let (d_output, last_d_output) = d_output.split_at(grouped * d.output.len());
    let (d_input, last_d_input) = d_input.split_at_mut(grouped * d.input.len());
    let (places, last_places) = places.split_at(d_output.len().min(places.len()));
    read_groups(&d.output, d_output, |d_output| run(&d.group(), grouped / Order::BLOCK, places, d_output, d_input));
    run(&d.plain(), n - grouped, last_places, last_d_output, last_d_input);
}

/// Has `write` write a block of channels as vectors, which stand as `map` says once they are written: one block of a map
/// that comes from another in blocks, and is in either order.
pub(crate) fn write_block(map: &Map, to: &mut [f32], write: impl FnOnce(&mut [Lanes])) {
    if map.is_blocked() || map.plane() == 1 {
        return write(vectors_mut(to));
    }
    let mut block = scratch::lend(Use::Task, to.len());
    write(vectors_mut(&mut block));
    apart(map.plane(), &block, to);
}

/// Has `read` read a block of channels, which stands as `map` says, as vectors.
pub(crate) fn read_block(map: &Map, from: &[f32], read: impl FnOnce(&[Lanes])) {
    if map.is_blocked() || map.plane() == 1 {
        return read(vectors(from));
    }
    let mut block = scratch::lend(Use::Task, from.len());
    together(map.plane(), from, &mut block);
    read(vectors(&block));
}

/// Sixteen planes to a vector for each position.
pub(crate) fn together(plane: usize, from: &[f32], to: &mut [f32]) {
    wide(
        #[inline(always)]
        || {
            for (first, to) in (0..plane).step_by(POSITIONS).zip(to.chunks_mut(POSITIONS * Order::BLOCK)) {
                for (channel, from) in from.chunks_exact(plane).enumerate() {
                    for (to, &from) in to.chunks_exact_mut(Order::BLOCK).zip(&from[first..]) {
                        to[channel] = from;
                    }
                }
            }
        },
    );
}

/// A vector for each position to sixteen planes.
pub(crate) fn apart(plane: usize, from: &[f32], to: &mut [f32]) {
    wide(
        #[inline(always)]
        || {
            for (first, from) in (0..plane).step_by(POSITIONS).zip(from.chunks(POSITIONS * Order::BLOCK)) {
                for (channel, to) in to.chunks_exact_mut(plane).enumerate() {
                    for (to, from) in to[first..].iter_mut().zip(from.chunks_exact(Order::BLOCK)) {
                        *to = from[channel];
                    }
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::change;
    use crate::desc::{
        Apply, Arith, BatchNorm, ConvTranspose, Coordinates, Expand, Fill, Join, Lrn, Map, Order, Pad, Permute,
        Resample, Resize, Sampling, Softmax, Trained, Upsample, Window, Write,
    };
    use crate::kernel::{
        arith, batch_norm, conv_transpose, expand, lrn, pad, permute, resize, softmax, trained, upsample,
    };
    use crate::testing::uniform;

    #[test]
    fn every_value_finds_its_place_and_the_way_back() {
        for (n, c, h, w) in [(1, 16, 1, 1), (2, 48, 3, 5), (3, 32, 13, 7), (0, 16, 2, 2)] {
            let (plain, blocked) = (Map::new(c, h, w), Map::blocked(c, h, w));
            let x = uniform(1, n * plain.len());
            let (mut y, mut back) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            change(&plain, n, &x, &mut y);
            for (at, &value) in x.iter().enumerate() {
                let (position, channel) = (at % (h * w), at / (h * w) % c);
                let block = at / plain.len() * c / 16 + channel / 16;
                assert_eq!(y[(block * h * w + position) * 16 + channel % 16], value);
            }
            change(&blocked, n, &y, &mut back);
            assert_eq!(x, back);
        }
    }

    /// Each would take the values for those of another position.
    #[test]
    fn an_order_that_a_layer_does_not_know_panics() {
        let (n, c) = (16, 16);
        let (map, plain) = (Map::batched(c, 2, 2), Map::new(c, 2, 2));
        let (x, tensor) = (vec![0.5; n * map.len()], vec![0.5; c]);
        let (mut y, mut scratch) = (x.clone(), vec![0.0; c]);
        let window = Window { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], pad: [0; 4] };
        let of_tensor = Trained { apply: Apply::Scale, input: map, tensor: Map::new(c, 1, 1) };
        let norm = BatchNorm { channels: c, plane: 4, order: Order::Chwn16, eps: 1e-5, momentum: 0.1 };
        let resized = |input, output| Resize {
            input,
            output,
            sampling: Sampling::Bilinear,
            coordinates: Coordinates::HalfPixel,
            scale: [None; 2],
        };
        let turned = ConvTranspose { input: plain, output: map, window, groups: c, direct: false };
        type Layer<'a> = (&'a str, &'a mut dyn FnMut(&mut [f32]));
        let layers: [Layer<'_>; 14] = [
            ("pad", &mut |y| pad::forward(&Pad { input: map, pad: [0; 4], fill: Fill::Edge }, n, &x, y)),
            ("permute", &mut |y| permute::forward(&Permute { input: map, order: [0, 2, 1] }, n, &x, y)),
            ("expand", &mut |y| expand::forward(&Expand { input: map, output: plain }, n, &x, y)),
            ("expand", &mut |y| expand::backward(&Expand { input: plain, output: map }, n, &x, y, Write::Set)),
            ("trained", &mut |y| trained::forward(&of_tensor, n, &x, &tensor, y)),
            ("softmax", &mut |y| softmax::forward(&Softmax { map, log: false }, n, &x, y)),
            ("softmax", &mut |y| softmax::backward(&Softmax { map, log: true }, n, &x, &x, y, Write::Set)),
            ("resize", &mut |y| resize::forward(&resized(map, plain), n, &x, y)),
            ("resize", &mut |y| resize::forward(&resized(plain, map), n, &x, y)),
            ("upsample", &mut |y| {
                upsample::forward(&Upsample { input: map, scale: [1; 2], resample: Resample::Nearest }, n, &x, y);
            }),
            ("lrn", &mut |y| lrn::forward(&Lrn { map, size: 3, alpha: 1.0, beta: 0.75, k: 1.0 }, n, &x, y)),
            ("join", &mut |y| arith::forward(&Join { arith: Arith::Mul, inputs: [plain, map] }, n, &x, &x, y)),
            ("batch_norm", &mut |y| batch_norm::forward(&norm, n, &x, &tensor, &tensor, &tensor, &tensor, y)),
            ("conv_transpose", &mut |y| conv_transpose::forward(&turned, n, &x, &tensor, None, y, &mut scratch)),
        ];
        for (name, layer) in layers {
            let outcome = catch_unwind(AssertUnwindSafe(|| layer(&mut y))).expect_err(name);
            let message = outcome.downcast_ref::<String>().expect("a message of its own");
            assert!(message.starts_with(&format!("{name}: a map in the order Chwn16")), "{message}");
        }
    }
}
