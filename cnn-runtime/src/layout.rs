//! How tensors stand in the buffers of parameters and gradients.

use std::ops::Range;

use crate::desc::{Conv, ConvTranspose, Fc};
use crate::kernel::blocks::Blocks;

/// The order of a tensor's floats in memory. Public edges show every tensor as a plain row-major array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// Row-major.
    Plain,
    /// OIHW weights by group, in blocks of 32 output channels: `[group][block][i][h][w][channel of the block]`; of a fully
    /// connected layer, `[block][input][output of the block]`. The last block of a group has what is left. A permutation:
    /// no float is added.
    Blocks {
        /// Groups of output channels.
        groups: usize,
    },
}

impl Layout {
    /// The layout in which a convolution reads its weights and writes their gradient.
    pub const fn of_conv(d: &Conv) -> Layout {
        if d.is_depthwise() { Layout::Plain } else { Layout::Blocks { groups: d.groups } }
    }

    /// The layout in which a transposed convolution reads its weights and writes their gradient.
    pub const fn of_conv_transpose(d: &ConvTranspose) -> Layout {
        Layout::of_conv(&d.conv())
    }

    /// The layout in which a fully connected layer reads its weights and writes their gradient.
    pub const fn of_fc(d: &Fc) -> Layout {
        // A lone input's or output's weights are the same either way.
        if d.inputs == 1 || d.outputs == 1 { Layout::Plain } else { Layout::Blocks { groups: 1 } }
    }

    /// Writes a row-major tensor with `rows` outermost elements to memory in this layout.
    ///
    /// # Panics
    /// If the slices differ in length, or the length is no multiple of `rows`, or `rows` of the groups.
    pub fn pack(self, rows: usize, plain: &[f32], packed: &mut [f32]) {
        assert_eq!(plain.len(), packed.len(), "two layouts of one tensor have one length");
        self.pack_part(rows, 0, plain, packed);
    }

    /// As [`pack`](Layout::pack), of the part of the row-major tensor that begins with its float `at`.
    ///
    /// # Panics
    /// As there, or if the part reaches beyond the tensor.
    pub(crate) fn pack_part(self, rows: usize, at: usize, plain: &[f32], packed: &mut [f32]) {
        let Layout::Blocks { groups } = self else {
            return packed[at..at + plain.len()].copy_from_slice(plain);
        };
        stretches(groups, rows, packed.len(), at..at + plain.len(), |part, first, step| {
            let places = packed[first..].iter_mut().step_by(step);
            places.zip(&plain[part.start - at..part.end - at]).for_each(|(to, &value)| *to = value);
        });
    }

    /// Writes a tensor in this layout as a row-major one with `rows` outermost elements.
    ///
    /// # Panics
    /// If the slices differ in length, or the length is no multiple of `rows`, or `rows` of the groups.
    pub fn unpack(self, rows: usize, packed: &[f32], plain: &mut [f32]) {
        assert_eq!(plain.len(), packed.len(), "two layouts of one tensor have one length");
        let Layout::Blocks { groups } = self else {
            return plain.copy_from_slice(packed);
        };
        stretches(groups, rows, packed.len(), 0..packed.len(), |part, first, step| {
            plain[part].iter_mut().zip(packed[first..].iter().step_by(step)).for_each(|(to, &value)| *to = value);
        });
    }
}

/// Cuts a part of a row-major tensor of `len` floats into stretches of one row, and calls `f` for each: with its place in
/// the tensor, where its first float stands in blocks, and how far apart all do.
fn stretches(
    groups: usize,
    rows: usize,
    len: usize,
    part: Range<usize>,
    mut f: impl FnMut(Range<usize>, usize, usize),
) {
    assert!(rows > 0 && len.is_multiple_of(rows), "{len} floats in {rows} rows");
    assert!(groups > 0 && rows.is_multiple_of(groups), "{rows} rows in {groups} groups");
    let (depth, of_group) = (len / rows, rows / groups);
    let mut at = part.start;
    while at < part.end {
        let (row, k) = (at / depth, at % depth);
        let end = part.end.min(at + depth - k);
        let block = Blocks::of(of_group).rows(row % of_group / Blocks::MOST);
        let first = (row / of_group * of_group + block.start) * depth + row % of_group - block.start;
        f(at..end, first + k * block.len(), block.len());
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::Layout;

    #[test]
    fn packing_and_unpacking_cancel_out() {
        for (layout, rows, columns) in [
            (Layout::Plain, 3, 5),
            (Layout::Blocks { groups: 1 }, 31, 9),
            (Layout::Blocks { groups: 3 }, 45, 4),
            (Layout::Blocks { groups: 2 }, 2, 1),
            (Layout::Blocks { groups: 1 }, 67, 5),
        ] {
            let plain: Vec<f32> = (0..rows * columns).map(|at| at as f32).collect();
            let (mut packed, mut back) = (vec![f32::NAN; plain.len()], vec![f32::NAN; plain.len()]);
            layout.pack(rows, &plain, &mut packed);
            layout.unpack(rows, &packed, &mut back);
            assert_eq!(plain, back, "{layout:?}");
            let mut parts = vec![f32::NAN; plain.len()];
            for (index, part) in plain.chunks(7).enumerate() {
                layout.pack_part(rows, 7 * index, part, &mut parts);
            }
            assert_eq!(parts, packed, "{layout:?}");
        }
    }

    #[test]
    fn channels_of_a_block_stand_side_by_side() {
        let mut packed = [0.0; 4 * 3];
        let plain: Vec<f32> = (0..12).map(|at| at as f32).collect();
        Layout::Blocks { groups: 2 }.pack(4, &plain, &mut packed);
        assert_eq!(packed, [0., 3., 1., 4., 2., 5., 6., 9., 7., 10., 8., 11.]);
    }

    #[test]
    fn outputs_of_a_block_stand_side_by_side() {
        let mut packed = [0.0; 34 * 2];
        let plain: Vec<f32> = (0..68).map(|at| at as f32).collect();
        Layout::Blocks { groups: 1 }.pack(34, &plain, &mut packed);
        let first: Vec<f32> = (0..64).map(|at| ((at % 32) * 2 + at / 32) as f32).collect();
        assert_eq!(packed[..64], first);
        assert_eq!(packed[64..], [64., 66., 65., 67.]);
    }
}
