//! Against the reference and the direct convolution, on every instruction set of the machine.

use super::cost::{self, Coming};
use super::layout::Layout;
use super::output::Finish;
use super::points::{F2, F4, Points};
use super::weights::Weights;
use super::{Left, Tile, Transformed, bands, run, transform_on, transformed_len, turned};
use crate::desc::{Act, BatchNorm, Conv, Map, Order, Pool, Window, Write};
use crate::dispatch::Isa;
use crate::kernel::conv::checks::packed;
use crate::kernel::conv::{self, pass, reference};
use crate::kernel::max_pool;
use crate::kernel::post::Post;
use crate::testing::{
    assert_close, assert_same_bits, nchw, relative_error, same_on_any_threads, stored, uniform, widen,
};

fn conv(input: [usize; 3], out: usize, pad: [usize; 4]) -> Conv {
    square(3, input, out, pad)
}

fn square(kernel: usize, [c, h, w]: [usize; 3], out: usize, pad: [usize; 4]) -> Conv {
    let less = kernel - 1;
    let output = Map::new(out, h + pad[0] + pad[2] - less, w + pad[1] + pad[3] - less);
    let window = Window { kernel: [kernel; 2], stride: [1, 1], dilation: [1, 1], pad };
    Conv { input: Map::new(c, h, w), output, window, groups: 1, direct: false }
}

/// A convolution whose maps have their channels in blocks.
fn in_blocks(d: Conv) -> Conv {
    let blocked = |Map { c, h, w, .. }| Map::blocked(c, h, w);
    Conv { input: blocked(d.input), output: blocked(d.output), ..d }
}

/// Prime, odd and tiny maps, lines of one tile and more, narrower and wider than a vector, padded unevenly.
fn shapes() -> Vec<Conv> {
    vec![
        conv([1, 1, 5], 1, [1; 4]),
        conv([1, 3, 7], 2, [0, 1, 0, 1]),
        conv([2, 7, 7], 3, [1; 4]),
        conv([3, 5, 11], 1, [2, 0, 1, 2]),
        conv([5, 13, 9], 29, [0; 4]),
        conv([4, 8, 8], 15, [1; 4]),
        conv([7, 14, 14], 17, [1; 4]),
        conv([2, 6, 23], 5, [2; 4]),
        conv([3, 28, 28], 4, [1; 4]),
        conv([2, 5, 56], 3, [1; 4]),
        conv([2, 4, 131], 2, [1, 2, 0, 0]),
        conv([19, 11, 17], 70, [1; 4]),
        in_blocks(conv([16, 7, 7], 16, [1; 4])),
        in_blocks(conv([32, 9, 13], 48, [2, 0, 1, 2])),
        in_blocks(conv([48, 1, 3], 32, [1; 4])),
        in_blocks(conv([160, 14, 5], 176, [1; 4])),
        in_blocks(conv([32, 11, 19], 16, [0, 2, 1, 0])),
        in_blocks(square(5, [16, 9, 13], 48, [2; 4])),
        in_blocks(square(5, [48, 5, 6], 16, [0, 1, 4, 3])),
        in_blocks(square(5, [160, 7, 7], 160, [2; 4])),
    ]
}

fn forward(isa: Isa, d: &Conv, tile: Tile, n: usize, input: &[f32], weight: &[f32], post: Post<'_>) -> Vec<f32> {
    let finish = Finish { post, write: Write::Set, pool: None };
    nchw(&d.output, n, &finished(isa, d, tile, n, input, weight, finish))
}

fn finished(isa: Isa, d: &Conv, tile: Tile, n: usize, input: &[f32], weight: &[f32], finish: Finish<'_>) -> Vec<f32> {
    let outputs = finish.pool.map_or(d.output, |pool| pool.output);
    let (mut u, mut output) = (vec![f32::NAN; transformed_len(d, tile)], vec![f32::NAN; n * outputs.len()]);
    transform_on(isa, tile, Weights::forward(d.output.c, d.input.c, &packed(d, weight)), bands(d), &mut u);
    run(isa, d, tile, n, &stored(&d.input, n, input), Left::Transformed(&u), finish, &mut output);
    output
}

/// The most that rounding may change of the greatest value.
fn bound(tile: Tile) -> f64 {
    match tile {
        Tile::F2 => 2e-6,
        Tile::F4 | Tile::F2Of5 => 6e-6,
        Tile::F6 | Tile::F4Of5 => 3e-5,
    }
}

/// All tiles that a convolution may have, on all instruction sets.
fn ways(d: &Conv) -> impl Iterator<Item = (Isa, Tile)> {
    let tiles = || Tile::ALL.into_iter().filter(|tile| tile.fits(d));
    Isa::available().flat_map(move |isa| tiles().map(move |tile| (isa, tile)))
}

fn reference_of(d: &Conv, n: usize, input: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f64> {
    let mut expected = vec![0.0; n * d.output.len()];
    reference::forward(d, n, &widen(input), &widen(weight), bias.map(widen).as_deref(), &mut expected);
    expected
}

#[test]
fn forward_agrees_with_the_reference() {
    for d in shapes() {
        for n in [1, 3, 21] {
            let (input, weight) = (uniform(1, n * d.input.len()), uniform(2, d.weight_len()));
            let bias = uniform(3, d.output.c);
            for bias in [None, Some(&bias[..])] {
                let expected = reference_of(&d, n, &input, &weight, bias);
                for (isa, tile) in ways(&d) {
                    let error =
                        relative_error(&forward(isa, &d, tile, n, &input, &weight, Post::from(bias)), &expected);
                    assert!(error < bound(tile), "{error:e} of {tile:?} on {isa:?}: {n} x {d:?}");
                }
            }
        }
    }
}

/// One tile to four, of one sample or two, sums in one chunk or two.
#[test]
fn few_tiles_agree_with_the_reference() {
    let maps =
        [([16, 7, 7], 16, 1), ([32, 4, 3], 64, 2), ([272, 3, 9], 48, 1), ([144, 2, 4], 32, 1), ([48, 8, 4], 80, 2)];
    for (map, out, n) in maps {
        let d = in_blocks(conv(map, out, [1; 4]));
        let (input, weight) = (uniform(1, n * d.input.len()), uniform(2, d.weight_len()));
        let (bias, from, weights) = (uniform(3, out), stored(&d.input, n, &input), packed(&d, &weight));
        let expected = reference_of(&d, n, &input, &weight, Some(&bias));
        for (isa, tile) in ways(&d) {
            let name = format!("{tile:?} on {isa:?}: {n} x {d:?}");
            let post = Post::new().bias(&bias);
            let made = || {
                let left = Left::Weights(Weights::forward(out, map[0], &weights));
                let (finish, mut output) =
                    (Finish { post, write: Write::Set, pool: None }, vec![f32::NAN; n * d.output.len()]);
                run(isa, &d, tile, n, &from, left, finish, &mut output);
                nchw(&d.output, n, &output)
            };
            let error = relative_error(&made(), &expected);
            assert!(error < bound(tile), "{error:e} of {name}");
            same_on_any_threads(&name, made);
            // Scales come after the sums there; halves lose nothing.
            if tile == Tile::F4 && isa.tile().0 == Order::BLOCK {
                assert_ne!(made(), forward(isa, &d, tile, n, &input, &weight, post), "as many tiles would: {name}");
            }
        }
    }
}

#[test]
fn the_gradient_agrees_with_the_reference() {
    for d in shapes() {
        let back = turned(&d).expect("padded by less than the kernel");
        let n = 3;
        let (d_output, weight) = (uniform(4, n * d.output.len()), uniform(5, d.weight_len()));
        let (before, blocks) = (uniform(6, n * d.input.len()), packed(&d, &weight));
        for write in [Write::Set, Write::Add] {
            let mut expected = widen(&before);
            reference::backward_data(&d, n, &widen(&weight), &widen(&d_output), &mut expected, write);
            for (isa, tile) in ways(&back) {
                let mut got = stored(&d.input, n, &before);
                let (from, left) = (stored(&d.output, n, &d_output), Weights::backward(d.output.c, d.input.c, &blocks));
                let finish = Finish { post: Post::new(), write, pool: None };
                run(isa, &back, tile, n, &from, Left::Weights(left), finish, &mut got);
                let error = relative_error(&nchw(&d.input, n, &got), &expected);
                assert!(error < bound(tile), "{error:e} of {write:?} of {tile:?} on {isa:?}: {n} x {d:?}");
            }
        }
    }
}

#[test]
fn what_follows_is_done_as_in_the_direct_way() {
    what_follows(conv([5, 9, 13], 17, [1; 4]));
    what_follows(in_blocks(conv([16, 9, 13], 48, [1; 4])));
    what_follows(in_blocks(square(5, [16, 9, 13], 48, [2; 4])));
}

fn what_follows(d: Conv) {
    let n = 3;
    let (input, weight) = (uniform(1, n * d.input.len()), uniform(2, d.weight_len()));
    let [bias, scale, shift, mean] = [3, 4, 5, 6].map(|seed| uniform(seed, d.output.c));
    let var: Vec<f32> = uniform(7, d.output.c).iter().map(|v| v + 1.5).collect();
    let residual = uniform(8, n * d.output.len());
    let norm =
        BatchNorm { channels: d.output.c, plane: d.output.plane(), order: Order::Nchw, eps: 1e-5, momentum: 0.1 };
    let posts = [
        Post::new().norm(&norm, &scale, &shift, &mean, &var),
        Post::new().bias(&bias).act(Act::Relu6),
        Post::new().bias(&bias).norm(&norm, &scale, &shift, &mean, &var).add(&residual).act(Act::Relu),
    ];
    for isa in Isa::available() {
        for post in posts {
            let mut expected = vec![f32::NAN; n * d.output.len()];
            let from = stored(&d.input, n, &input);
            let weights = &packed(&d, &weight);
            let pass = pass::Forward { isa, d: &d, n, input: &from, weight: weights, post, write: Write::Set };
            conv::direct_on(pass, &mut expected);
            let expected = nchw(&d.output, n, &expected);
            for tile in Tile::ALL.into_iter().filter(|tile| tile.fits(&d)) {
                let got = forward(isa, &d, tile, n, &input, &weight, post);
                let bound = if tile.is_rough() { 1e-4 } else { 2e-5 };
                assert_close(&format!("{tile:?} on {isa:?}, {post:?}"), &got, &widen(&expected), bound);
            }
        }
    }
}

#[test]
fn the_largest_of_a_tile_are_those_that_a_pool_takes() {
    let n = 2;
    let shapes = shapes().into_iter().chain([in_blocks(conv([16, 12, 18], 32, [1; 4]))]);
    for d in shapes.filter(|d| d.output.is_blocked() && d.output.h > 1 && d.output.w > 1) {
        let Map { c, h, w, .. } = d.output;
        let (mut input, weight) = (uniform(1, n * d.input.len()), uniform(2, d.weight_len()));
        input[d.input.len() / 2] = f32::NAN;
        let (bias, factor, ones) = (uniform(3, c), uniform(4, c), vec![1.0; c]);
        let norm = BatchNorm { channels: c, plane: h * w, order: Order::Nchw16c, eps: 1e-5, momentum: 0.1 };
        let post = Post::new().bias(&bias).norm(&norm, &factor, &bias, &bias, &ones).act(Act::Relu);
        let window = Window { kernel: [2, 2], stride: [2, 2], dilation: [1, 1], pad: [0; 4] };
        let pool = Pool { input: d.output, output: Map::blocked(c, h / 2, w / 2), window, counted: [0; 4] };
        for isa in Isa::available() {
            for tile in Tile::ALL.into_iter().filter(|tile| tile.fits(&d)) {
                let of = |pool| finished(isa, &d, tile, n, &input, &weight, Finish { post, write: Write::Set, pool });
                let mut expected = vec![f32::NAN; n * pool.output.len()];
                max_pool::forward(&pool, n, &of(None), &mut expected);
                assert_close(&format!("{tile:?} of {d:?} on {isa:?}"), &of(Some(&pool)), &widen(&expected), 0.0);
            }
        }
    }
}

/// As many channels as ResNets have: the sums are long, and so is what rounding adds to them.
#[test]
fn rounding_errors_stay_within_their_bounds() {
    for (channels, size) in [(64, 16), (512, 7)] {
        for d in [conv([channels, size, size], 48, [1; 4]), square(5, [channels, size, size], 48, [2; 4])] {
            let (input, weight) = (uniform(1, d.input.len()), uniform(2, d.weight_len()));
            let expected = reference_of(&d, 1, &input, &weight, None);
            for isa in Isa::available() {
                let mut direct = vec![0.0; d.output.len()];
                let (weights, post) = (&packed(&d, &weight), Post::new());
                let pass = pass::Forward { isa, d: &d, n: 1, input: &input, weight: weights, post, write: Write::Set };
                conv::direct_on(pass, &mut direct);
                println!("direct {:.1e}: {d:?} on {isa:?}", relative_error(&direct, &expected));
                for d in [d, in_blocks(d)] {
                    for tile in Tile::ALL.into_iter().filter(|tile| tile.fits(&d)) {
                        let error = relative_error(&forward(isa, &d, tile, 1, &input, &weight, Post::new()), &expected);
                        println!("{tile:?} {error:.1e}: {d:?} on {isa:?}");
                        assert!(error < bound(tile), "{error:.1e} of {tile:?}: {d:?} on {isa:?}");
                    }
                }
            }
        }
    }
}

/// The same sums in another order: what `direct` asks for is the direct way to the last bit, and this way is not.
#[test]
fn direct_convolutions_go_the_direct_way() {
    let (saving, n) = (conv([64, 16, 16], 48, [1; 4]), 2);
    let direct = Conv { direct: true, ..saving };
    let best = |d, isa| cost::best(isa, d, n, Coming::Straight);
    assert!(Isa::available().all(|isa| best(&saving, isa).is_some() && best(&direct, isa).is_none()));
    let (input, weight) = (uniform(1, n * saving.input.len()), packed(&saving, &uniform(2, saving.weight_len())));
    let d_output = uniform(3, n * saving.output.len());
    for isa in Isa::available() {
        let (input, weight, post, write) = (&input, &weight, Post::new(), Write::Set);
        let go = pass::Forward { isa, d: &saving, n, input, weight, post, write };
        let back = pass::BackwardData { isa, d: &saving, n, weight, d_output: &d_output, write };
        let passes = |d: &Conv| {
            let (mut output, mut d_input) = (vec![f32::NAN; d_output.len()], vec![f32::NAN; input.len()]);
            conv::forward_on(pass::Forward { d, ..go }, &mut output);
            conv::backward_data_on(pass::BackwardData { d, ..back }, &mut d_input, &mut vec![f32::NAN; weight.len()]);
            [output, d_input]
        };
        let mut expected = [vec![f32::NAN; d_output.len()], vec![f32::NAN; input.len()]];
        let [output, d_input] = &mut expected;
        conv::direct_on(go, output);
        conv::backward_data::run(back, d_input, &mut vec![f32::NAN; weight.len()]);
        for ((got, saved), expected) in passes(&direct).iter().zip(&passes(&saving)).zip(&expected) {
            assert_same_bits(&format!("direct on {isa:?}"), got, expected);
            assert_ne!(saved, expected, "Winograd's way on {isa:?}");
            let difference = relative_error(saved, &widen(expected));
            assert!(difference < 1e-5, "{difference:e} on {isa:?}");
        }
    }
}

/// Which rounds as the others do not, where it multiplies and adds in two steps.
#[test]
fn kept_weights_go_on_the_instruction_set_of_the_pass() {
    let (d, tile, n) = (in_blocks(conv([32, 14, 14], 32, [1; 4])), Tile::F4, 1);
    let (input, weight) = (uniform(1, d.input.len()), uniform(2, d.weight_len()));
    let (mut u, packed, from) =
        (vec![f32::NAN; transformed_len(&d, tile)], packed(&d, &weight), stored(&d.input, n, &input));
    for isa in Isa::available() {
        transform_on(isa, tile, Weights::forward(d.output.c, d.input.c, &packed), bands(&d), &mut u);
        let mut got = vec![f32::NAN; d.output.len()];
        let (post, write) = (Post::new(), Write::Set);
        let pass = pass::Forward { isa, d: &d, n, input: &from, weight: &packed, post, write };
        conv::kept_on(pass, Some(Transformed { tile, u: &u }), &mut got);
        let expected = finished(isa, &d, tile, n, &input, &weight, Finish { post, write, pool: None });
        assert_same_bits(&format!("kept on {isa:?}"), &got, &expected);
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let all = [
        conv([17, 29, 31], 61, [1; 4]),
        conv([64, 14, 14], 130, [1; 4]),
        in_blocks(conv([32, 29, 31], 48, [1; 4])),
        in_blocks(conv([176, 14, 14], 160, [1; 4])),
        in_blocks(square(5, [32, 14, 14], 96, [2; 4])),
    ];
    for d in all {
        for (isa, tile) in ways(&d) {
            // Without vectors as many would take long.
            let n = if isa.name() == "portable" { 3 } else { 11 };
            let (input, weight) = (uniform(1, n * d.input.len()), uniform(2, d.weight_len()));
            let bias = uniform(3, d.output.c);
            same_on_any_threads(&format!("{tile:?} of {d:?} on {isa:?}"), || {
                forward(isa, &d, tile, n, &input, &weight, Post::new().bias(&bias))
            });
        }
    }
}

#[test]
fn a_sample_has_the_same_outputs_alone_and_in_a_batch() {
    let n = 5;
    for d in [conv([17, 9, 13], 31, [1; 4]), in_blocks(conv([32, 9, 13], 48, [1; 4]))] {
        let (input, weight) = (uniform(1, n * d.input.len()), uniform(2, d.weight_len()));
        for (isa, tile) in ways(&d) {
            let batch = forward(isa, &d, tile, n, &input, &weight, Post::new());
            for (input, batch) in input.chunks(d.input.len()).zip(batch.chunks(d.output.len())) {
                let alone = forward(isa, &d, tile, 1, input, &weight, Post::new());
                assert_close(&format!("alone, {tile:?} on {isa:?}"), &alone, &widen(batch), 0.0);
            }
        }
    }
}

/// Where maps are large and channels few, as in the first layers of VGG-16; in ResNet-18 tiles of 6 x 6 win too little.
#[test]
fn tiles_of_6_x_6_are_for_large_maps() {
    for (input, size, output, expected) in [
        (64, 224, 64, true),
        (64, 112, 128, true),
        (128, 112, 128, true),
        (64, 56, 64, false),
        (128, 28, 128, false),
        (256, 14, 256, false),
        (256, 56, 256, false),
        (512, 28, 512, false),
    ] {
        let d = in_blocks(conv([input, size, size], output, [1; 4]));
        for n in [1, 8, 64] {
            for (d, coming) in [
                (d, Coming::Kept),
                (d, Coming::Straight),
                (turned(&d).expect("padded by less than the kernel"), Coming::Turned),
            ] {
                for isa in Isa::available() {
                    let best = cost::best(isa, &d, n, coming);
                    assert_eq!(best == Some(Tile::F6), expected, "{best:?} of {coming:?} on {isa:?}: {n} x {d:?}");
                }
            }
        }
    }
}

/// AlexNet's second convolution, in both of its usual sizes, and one of few channels.
#[test]
fn large_tiles_of_5_x_5_kernels_are_for_many_channels() {
    for (input, output, expected) in [(96, 256, Tile::F4Of5), (64, 192, Tile::F4Of5), (64, 128, Tile::F2Of5)] {
        let d = in_blocks(square(5, [input, 27, 27], output, [2; 4]));
        for n in [1, 8, 64] {
            for isa in Isa::available() {
                assert_eq!(cost::best(isa, &d, n, Coming::Straight), Some(expected), "{n} x {d:?} on {isa:?}");
            }
        }
    }
}

/// Wherever a vector of tiles begins, they and their neighbours stand within two vectors.
#[test]
fn whatever_fits_can_be_collected() {
    fn check<S: crate::simd::Simd, P: Points>(simd: S, tile: Tile) {
        for w in (1..200).filter(|&w| tile.fits(&conv([1, 40, w], 1, [1; 4]))) {
            let d = conv([1, 40, w], 1, [1; 4]);
            let tiles = 40_usize.div_ceil(P::M) * w.div_ceil(P::M);
            for first in (0..tiles).step_by(S::LANES) {
                let layout = Layout::new::<S, P>(simd, &d, first..(first + S::LANES).min(tiles), 1);
                let place = |tile: usize| tile / layout.grid[1] * layout.pitch + tile % layout.grid[1];
                let reach = place(first + layout.tiles - 1) - place(first) + 1;
                assert!(reach < 2 * S::LANES, "{reach} places of {tile:?} for {w} columns from tile {first} on");
            }
        }
    }
    struct Check;
    impl crate::simd::Kernel for Check {
        fn run<S: crate::simd::Simd>(self, simd: S) {
            check::<S, F2>(simd, Tile::F2);
            check::<S, F4>(simd, Tile::F4);
        }
    }
    Isa::available().for_each(|isa| isa.run(Check));
}
