//! Random shapes against the reference, on every instruction set of the machine: in every order of the maps, and large enough
//! for each way of computing a convolution.

use proptest::prelude::*;

use super::checks::{
    check_backward_data_within, check_backward_weights, check_forward_within, check_threads, conv, in_every_order,
};
use super::pooled_tests;
use super::winograd::Tile;
use crate::desc::{Conv, Map, Order, Pool, Window};
use crate::dispatch::Isa;
use crate::testing::{random, windows};

/// Most multiply-accumulates of a case: the reference takes some hundredths of a second for them.
const MOST_MACS: usize = 1 << 24;

/// How many times as much as sums do the tiles of Winograd's way may round, on any of very many shapes.
fn loss(d: &Conv) -> f64 {
    if [Tile::F6, Tile::F4Of5].iter().any(|tile| tile.fits(d) && tile.pays(d)) {
        10.0
    } else if Tile::F4.fits(d) || Tile::F2Of5.fits(d) {
        3.0
    } else {
        1.0
    }
}

/// All passes over `n` samples, if they do not take too long.
fn check(d: &Conv, n: usize) {
    check_within(loss(d), d, n);
}

/// As [`check`], where so many times the usual error is no mistake.
fn check_within(times: f64, d: &Conv, n: usize) {
    if n * d.output.plane() * d.weight_len() < MOST_MACS {
        check_forward_within(times, d, n);
        check_backward_data_within(times, d, n);
        check_backward_weights(d, n);
    }
}

/// The same window, or one that Winograd's way may take: a square kernel without dilation, padded by less than itself.
fn plainer(window: Window, plainer: bool) -> Window {
    let Window { kernel: [size, _], stride: [stride, _], pad, .. } = window;
    if plainer {
        Window { kernel: [size; 2], stride: [stride; 2], dilation: [1, 1], pad: pad.map(|pad| pad.min(size - 1)) }
    } else {
        window
    }
}

/// A pool's window without any in padding alone.
fn inside(window: Window) -> Window {
    let [height, width] = window.kernel.map(|size| size / 2);
    let most = [height, width, height, width];
    Window { pad: std::array::from_fn(|side| window.pad[side].min(most[side])), ..window }
}

/// A map in another order.
fn ordered(map: Map, order: Order) -> Map {
    Map { order, ..map }
}

/// A convolution of maps in other orders.
fn with(d: Conv, [input, output]: [Order; 2]) -> Conv {
    Conv { input: ordered(d.input, input), output: ordered(d.output, output), ..d }
}

/// Windows of 2 x 2 side by side.
const TWO_BY_TWO: Window = Window { kernel: [2, 2], stride: [2, 2], dilation: [1, 1], pad: [0; 4] };

/// Each order of samples in groups on one side or both.
const GROUPED: [[Order; 2]; 3] =
    [[Order::Chwn16, Order::Chwn16], [Order::Nchw, Order::Chwn16], [Order::Chwn16, Order::Nchw]];

proptest! {
    #![proptest_config(random(200))]

    #[test]
    fn any_groups_of_channels_agree_with_the_reference(
        (group_in, group_out, groups, n) in (1..6_usize, 1..20_usize, 1..4_usize, 1..4_usize),
        (h, w) in (1..15_usize, 1..40_usize),
        window in windows(4, 3, 3),
    ) {
        if let Some(d) = conv([group_in * groups, h, w], group_out * groups, window, groups) {
            check_within(1.0, &d, n);
        }
    }
}

proptest! {
    #![proptest_config(random(40))]

    #[test]
    fn any_blocks_of_channels_agree_with_the_reference(
        (inputs, outputs, n) in (1..10_usize, 1..8_usize, 1..4_usize),
        (h, w) in (1..30_usize, 1..30_usize),
        (window, square) in (windows(5, 3, 2), any::<bool>()),
        order in 0..4_usize,
    ) {
        if let Some(d) = conv([16 * inputs, h, w], 16 * outputs, plainer(window, square), 1) {
            check(&in_every_order(d)[order], n);
        }
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits(
        (inputs, outputs, n) in (1..12_usize, 1..12_usize, 1..20_usize),
        (h, w) in (1..40_usize, 1..40_usize),
        (window, square) in (windows(5, 3, 2), any::<bool>()),
        (image, order) in (any::<bool>(), 0..4_usize),
        isa in prop::sample::select(Isa::available().collect::<Vec<_>>()),
    ) {
        let inputs = if image { inputs } else { 16 * inputs };
        if let Some(d) = conv([inputs, h, w], 16 * outputs, plainer(window, square), 1)
            && n * d.output.plane() * d.weight_len() < 8 * MOST_MACS
        {
            let all = in_every_order(d);
            check_threads(isa, &all[order % all.len()], n);
        }
    }

    #[test]
    fn any_depthwise_blocks_agree_with_the_reference(
        (blocks, n) in (1..4_usize, 1..4_usize),
        (h, w) in (1..20_usize, 1..40_usize),
        window in windows(6, 3, 3),
    ) {
        if let Some(d) = conv([16 * blocks, h, w], 16 * blocks, window, 16 * blocks) {
            check(&with(d, [Order::Nchw16c, Order::Nchw16c]), n);
        }
    }

    #[test]
    fn any_image_agrees_with_the_reference(
        (few, blocks, n) in (1..17_usize, 1..6_usize, 1..3_usize),
        (h, w) in (1..40_usize, 1..140_usize),
        window in windows(9, 4, 2),
        backwards in any::<bool>(),
    ) {
        let [inputs, outputs] = if backwards { [16 * blocks, few] } else { [few, 16 * blocks] };
        if let Some(d) = conv([inputs, h, w], outputs, window, 1) {
            in_every_order(d).iter().for_each(|d| check(d, n));
        }
    }

    #[test]
    fn any_groups_of_samples_agree_with_the_reference(
        (inputs, outputs, n) in (1..20_usize, 1..40_usize, 1..40_usize),
        (h, w) in (1..16_usize, 1..30_usize),
        window in windows(6, 1, 2),
        orders in prop::sample::select(&GROUPED[..]),
    ) {
        if let Some(d) = conv([inputs, h, w], outputs, window, 1) {
            check(&with(d, orders), n);
        }
    }

    #[test]
    fn any_pool_behind_a_convolution_agrees_with_the_reference(
        (inputs, outputs, n) in (1..34_usize, 1..40_usize, 1..20_usize),
        (h, w) in (1..30_usize, 1..40_usize),
        (window, square) in (windows(5, 2, 2), any::<bool>()),
        windows in prop_oneof![Just(TWO_BY_TWO), windows(3, 3, 2)],
        (blocks, in_groups, order) in (any::<[bool; 2]>(), any::<bool>(), 0..4_usize),
        isa in prop::sample::select(Isa::available().collect::<Vec<_>>()),
    ) {
        let [inputs, outputs] = [(inputs, blocks[0]), (outputs, blocks[1])]
            .map(|(channels, blocks)| if blocks { channels.next_multiple_of(16) } else { channels });
        let window = plainer(window, square);
        let window = if in_groups { Window { stride: [1, 1], ..window } } else { window };
        if let Some(d) = conv([inputs, h, w], outputs, window, 1)
            && let Some(windows) = conv([outputs, d.output.h, d.output.w], outputs, inside(windows), outputs)
            && n * d.output.plane() * d.weight_len() < MOST_MACS
        {
            let all = if in_groups {
                GROUPED[..2].iter().map(|&[input, _]| with(d, [input, Order::Chwn16])).collect()
            } else {
                in_every_order(d)
            };
            let d = all[order % all.len()];
            let output = if blocks[0] { windows.output } else { ordered(windows.output, d.output.order) };
            let pool = Pool { input: d.output, output, window: windows.window, counted: [0; 4] };
            pooled_tests::check_within(loss(&d), &d, &pool, n);
            pooled_tests::check_threads(isa, &d, &pool, n);
        }
    }
}
