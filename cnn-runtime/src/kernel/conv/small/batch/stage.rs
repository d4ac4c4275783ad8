//! The rows of a group of samples that some lines of outputs read, a vector of sixteen samples at each position.

use std::ops::Range;

use super::super::stage::Taps;
use crate::desc::{Map, Order};
use crate::kernel::scratch;
use crate::simd::Simd;

/// Samples that stand side by side.
pub(super) const GROUP: usize = Order::BLOCK;

/// Which rows and columns of a map are read.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    /// The map, in whichever order it stands.
    map: Map,
    /// Rows; those outside of the map are zero.
    rows: Range<isize>,
    /// Columns, likewise.
    columns: Range<isize>,
}

/// Where the rows stand.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    /// The first column of the first row of the first channel.
    pub first: *const f32,
    /// The distance between channels.
    pub channel: usize,
    /// The distance between rows.
    pub row: usize,
}

impl Stage {
    /// What outputs whose `taps` stand on a map read of these rows of it.
    pub(super) fn of(map: Map, taps: &Taps, rows: Range<isize>) -> Self {
        let left = taps.origin[1];
        let width = taps.grid[1] + (taps.kernel[1] - 1) * taps.dilation[1];
        Stage { map, rows, columns: left..left + width as isize }
    }

    /// All of a map.
    pub(super) fn whole(map: Map) -> Self {
        Stage { map, rows: 0..map.h as isize, columns: 0..map.w as isize }
    }

    /// The first row.
    pub(super) fn top(&self) -> isize {
        self.rows.start
    }

    /// Whether there is no padding between the rows.
    fn is_whole(&self) -> bool {
        let Map { h, w, .. } = self.map;
        self.columns == (0..w as isize) && self.rows.start >= 0 && self.rows.end <= h as isize
    }

    /// Whether the rows are read where they stand.
    fn is_in_place(&self) -> bool {
        self.map.is_batched() && self.is_whole()
    }

    /// The rows inside of the map, and the columns.
    fn inside(&self) -> [Range<usize>; 2] {
        let Map { h, w, .. } = self.map;
        [(&self.rows, h), (&self.columns, w)].map(|(range, size)| {
            let start = range.start.clamp(0, size as isize);
            start as usize..range.end.clamp(start, size as isize) as usize
        })
    }

    /// Floats of the rows of a channel.
    fn channel_len(&self) -> usize {
        self.rows.len() * self.columns.len() * GROUP
    }

    /// Floats that staging needs.
    pub(super) fn len(&self) -> usize {
        if self.is_in_place() { 0 } else { scratch::floats([self.map.c, self.channel_len()]) }
    }

    /// Stages the rows of the samples of a group.
    #[inline(always)]
    pub(super) fn fill<S: Simd>(&self, simd: S, group: &[f32], into: &mut [f32]) -> Rows {
        let Map { c, w, .. } = self.map;
        let (plane, len) = (self.map.plane(), self.map.len());
        assert!(group.len() == GROUP * len && into.len() >= self.len(), "a group and room for its rows");
        let [rows, columns] = self.inside();
        if self.is_in_place() {
            let first = group[rows.start * w * GROUP..].as_ptr();
            return Rows { first, channel: plane * GROUP, row: w * GROUP };
        }
        let (row, channel) = (self.columns.len() * GROUP, self.channel_len());
        for c in 0..c {
            let staged = &mut into[c * channel..][..channel];
            let first = c * plane + rows.start * w;
            if self.is_whole() {
                // Not in place: samples that stand one by one.
                simd.transposed([GROUP, rows.len() * w], (&group[first..], len), (staged, GROUP));
                continue;
            }
            let above = (-self.rows.start).clamp(0, self.rows.len() as isize) as usize;
            let (above, below) = (above * row, (above + rows.len()) * row);
            staged[..above].fill(0.0);
            staged[below..].fill(0.0);
            for (index, staged) in staged[above..below].chunks_exact_mut(row).enumerate() {
                let left = (columns.start as isize - self.columns.start).clamp(0, self.columns.len() as isize) as usize;
                let (left, right) = (left * GROUP, (left + columns.len()) * GROUP);
                staged[..left].fill(0.0);
                staged[right..].fill(0.0);
                let (staged, first) = (&mut staged[left..right], first + index * w + columns.start);
                if self.map.is_batched() {
                    staged.copy_from_slice(&group[first * GROUP..][..columns.len() * GROUP]);
                } else {
                    turn(simd, columns.len(), (&group[first..], len), staged);
                }
            }
        }
        Rows { first: into.as_ptr(), channel, row }
    }
}

/// Writes a row of each sample of a group, which stand a distance apart, as vectors of samples.
#[inline(always)]
fn turn<S: Simd>(simd: S, width: usize, (samples, len): (&[f32], usize), staged: &mut [f32]) {
    // The last block overlaps the one before it rather than be a part of one.
    let last = width.saturating_sub(S::LANES);
    let blocks = if width < S::LANES { 0 } else { width.div_ceil(S::LANES) };
    for first in (0..blocks).map(|block| (block * S::LANES).min(last)) {
        simd.transposed([GROUP, S::LANES], (&samples[first..], len), (&mut staged[first * GROUP..], GROUP));
    }
    if blocks == 0 {
        simd.transposed([GROUP, width], (samples, len), (staged, GROUP));
    }
}

/// Writes some positions of all channels of a group, `[channel][position][sample]`, to the samples' own maps, which begin at
/// `to` and are `len` floats long, `plane` floats for a channel.
#[inline(always)]
pub(super) fn scatter<S: Simd>(simd: S, from: &[f32], positions: usize, to: &mut [f32], [plane, len]: [usize; 2]) {
    for (channel, from) in from.chunks_exact(positions * GROUP).enumerate() {
        simd.transposed([positions, GROUP], (from, GROUP), (&mut to[channel * plane..], len));
    }
}

/// The way back from [`scatter`].
#[inline(always)]
pub(super) fn gather<S: Simd>(simd: S, from: &[f32], [plane, len]: [usize; 2], to: &mut [f32], positions: usize) {
    for (channel, to) in to.chunks_exact_mut(positions * GROUP).enumerate() {
        simd.transposed([GROUP, positions], (&from[channel * plane..], len), (to, GROUP));
    }
}
