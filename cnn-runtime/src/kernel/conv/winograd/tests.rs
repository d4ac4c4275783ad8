//! Against the reference and the direct convolution, on every instruction set of the machine.

use super::output::Finish;
use super::weights::Weights;
use super::{Tile, run, transform_on, transformed_len};
use crate::desc::{Conv, Map, Window, Write};
use crate::dispatch::Isa;
use crate::kernel::conv::reference;
use crate::testing::{same_on_any_threads, uniform, widen};

const TILES: [Tile; 2] = [Tile::F2, Tile::F4];

fn conv([c, h, w]: [usize; 3], out: usize, pad: [usize; 4]) -> Conv {
    let output = Map::new(out, h + pad[0] + pad[2] - 2, w + pad[1] + pad[3] - 2);
    let window = Window { kernel: [3, 3], stride: [1, 1], dilation: [1, 1], pad };
    Conv { input: Map::new(c, h, w), output, window, groups: 1 }
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
        conv([19, 11, 17], 71, [1; 4]),
    ]
}

fn forward(isa: Isa, d: &Conv, tile: Tile, n: usize, input: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let (mut u, mut output) = (vec![f32::NAN; transformed_len(d, tile)], vec![f32::NAN; n * d.output.len()]);
    transform_on(isa, tile, Weights::forward(d.output.c, d.input.c, weight), &mut u);
    run(isa, d, tile, n, input, &u, Finish { bias, write: Write::Set }, &mut output);
    output
}

/// The greatest error, relative to the greatest value.
fn error(got: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let greatest = expected.iter().fold(0.0, |most: f64, e| most.max(e.abs()));
    let worst = got.iter().zip(expected).map(|(&g, e)| (f64::from(g) - e).abs());
    worst.fold(0.0, |most, error| if error.is_nan() { f64::NAN } else { error.max(most) }) / greatest
}

fn reference_of(d: &Conv, n: usize, input: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f64> {
    let mut expected = vec![0.0; n * d.output.len()];
    reference::forward(d, n, &widen(input), &widen(weight), bias.map(widen).as_deref(), &mut expected);
    expected
}

#[test]
fn forward_agrees_with_the_reference() {
    for isa in Isa::available() {
        for d in shapes() {
            for tile in TILES.into_iter().filter(|tile| tile.fits(&d)) {
                for n in [1, 3, 21] {
                    let (input, weight) = (uniform(1, n * d.input.len()), uniform(2, d.weight_len()));
                    let bias = uniform(3, d.output.c);
                    for bias in [None, Some(&bias[..])] {
                        let got = forward(isa, &d, tile, n, &input, &weight, bias);
                        let error = error(&got, &reference_of(&d, n, &input, &weight, bias));
                        assert!(error < 1e-5, "{error:e} of {tile:?} on {isa:?}: {n} x {d:?}");
                    }
                }
            }
        }
    }
}
