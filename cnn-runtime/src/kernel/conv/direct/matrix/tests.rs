//! Which convolutions the unit takes, and how much a task stages.

use super::*;
use crate::desc::{Map, Window, Write};
use crate::kernel::conv::im2col::Im2col;
use crate::kernel::gemm::columns::Columns;
use crate::kernel::parallel::Shared;
use crate::kernel::post::Post;

/// Lines so far apart that 32 bits do not tell how far, in bytes of digits: left to vectors.
#[test]
fn far_taps_are_not_the_units() {
    let applies = |dilation: usize, isa: Isa| {
        let (input, output) = (Map::blocked(64, 1, 128), Map::blocked(32, 1, 128));
        on_direct(input, output, [dilation, 1], |direct| super::applies(direct, isa).is_some())
    };
    for isa in Isa::available() {
        assert_eq!(applies(1000, isa), isa.matrix().is_some());
        assert!(!applies(90_000, isa), "{isa:?}");
    }
}

/// Each sample of a task brings its padding along.
#[test]
fn a_task_stages_about_as_much_as_it_may() {
    for amx in Isa::available().filter_map(Isa::matrix) {
        for (input, dilation) in [
            (Map::blocked(512, 1, 16), [1600, 1]),
            (Map::blocked(512, 4, 4), [36, 1]),
            (Map::blocked(64, 28, 28), [1, 1]),
            (Map::blocked(512, 7, 7), [1, 1]),
            (Map::blocked(512, 7, 7), [5, 5]),
        ] {
            on_direct(input, Map { c: 32, ..input }, dilation, |direct| {
                let work = Work::new(direct, amx);
                let staged = |tiles: usize| work.groups() * work.group(&work.stage(&(0..tiles))) * LEFT;
                let tiles = (STAGED / work.staged()).clamp(1, MOST);
                assert!(staged(tiles) <= (3 * STAGED).max(staged(1)), "{tiles} tiles of {input:?}, {dilation:?} apart");
            });
        }
    }
}

/// A convolution of 3 x 1 taps so far apart, padded above, of two samples.
fn on_direct<R>(input: Map, output: Map, dilation: [usize; 2], f: impl FnOnce(&Direct<'_>) -> R) -> R {
    let pad = [2 * dilation[0], 0, 0, 0];
    let window = Window { kernel: [3, 1], stride: [1, 1], dilation, pad };
    let d = Conv { input, output, window, groups: 1, direct: false };
    let product = Gemm {
        m: output.c,
        n: 2 * output.plane(),
        k: d.taps(),
        a: &[],
        b: (),
        post: Post::new(),
        channel: 0,
        write: Write::Set,
        c: Shared::new(&mut []),
        first: 0,
        c_stride: output.plane(),
        columns: Columns::maps(output.plane(), output.len()).in_blocks(Order::BLOCK),
    };
    f(&Direct::new(product, Im2col::of_input(&d, 0, &[]), Order::BLOCK))
}
