//! Convolutions whose kernel covers the input: fully connected layers with another order of weights.

use crate::desc::{Conv, Write};
use crate::kernel::blocks::Blocks;
use crate::kernel::conv::pass;
use crate::kernel::gemm::columns::Columns;
use crate::kernel::gemm::pack::Transposed;
use crate::kernel::gemm::{Gemm, Left};
use crate::kernel::parallel::Shared;
use crate::kernel::post::Post;

/// Whether every output reads each input once.
pub(in super::super) fn applies(d: &Conv) -> bool {
    d.groups == 1
        && d.window.kernel == [d.input.h, d.input.w]
        && d.window.dilation == [1, 1]
        && d.window.pad == [0; 4]
        && d.output.plane() == 1
}

/// See [`super::super::backward_data`]; the lengths are checked. A gather would pad the one output by the size of the
/// kernel on all sides, and multiply zeros but for one tap of each input.
pub(in super::super) fn backward_data(pass: pass::BackwardData<'_>, d_input: &mut [f32]) {
    let pass::BackwardData { isa, d, n, weight, d_output, write } = pass;
    let c = Shared::new(d_input);
    for rows in Blocks::of(d.output.c).iter() {
        let gemm = Gemm {
            m: d.taps(),
            n,
            k: rows.len(),
            a: Left::Rows { data: &weight[rows.start * d.taps()..rows.end * d.taps()], row: rows.len(), step: 1 },
            b: Transposed { data: &d_output[rows.start..], column: d.output.c },
            post: Post::new(),
            channel: 0,
            write: if rows.start == 0 { write } else { Write::Add },
            c,
            first: 0,
            c_stride: 1,
            columns: Columns { grid: [1, n], sample: 0, y: 0, x: d.taps(), heads: [1, 1] },
        };
        // SAFETY: rows are inputs, columns samples, each pair one float of the gradient.
        unsafe { gemm.run(isa) };
    }
}
