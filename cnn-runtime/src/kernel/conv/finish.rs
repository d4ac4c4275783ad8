//! The end of a tile: its sums are turned over, a position in each lane, and written to the maps.

use super::tile::MOST;
use crate::desc::{Order, Write};
use crate::kernel::blocks::Blocks;
use crate::kernel::gemm::Piece;
use crate::kernel::gemm::columns::Columns;
use crate::kernel::post::Post;
use crate::simd::{Kernel, Simd};

/// Most channels of a tile: two blocks.
const CHANNELS: usize = 2 * Blocks::MOST;

/// Room for the sums of a tile: a row of channels for each position, whole vectors of positions. Tiles of two blocks have
/// fewer positions than half of it.
#[repr(align(64))]
pub(super) struct Sums(pub [f32; 16 * Blocks::MOST]);

const _: () = assert!(MOST <= 16);

/// What becomes of the sums of one or two blocks of channels: `clamp(sum * factor + offset + residual)`, or an addition.
pub(super) struct Finish {
    factors: [f32; CHANNELS],
    offsets: [f32; CHANNELS],
    clamp: (f32, f32),
    /// The first channel's map in what is added, which stands as the output does.
    added: Option<*const f32>,
    /// The first channel's map.
    output: *mut f32,
    /// Distance between channels.
    plane: usize,
    /// What each position sets to zero behind it.
    zeros: Option<Zeros>,
}

/// What a position of a map in blocks is the first of, and sets to zero behind it.
#[derive(Clone, Copy)]
struct Zeros {
    lines: usize,
    /// Distance between lines.
    y: usize,
    positions: usize,
    /// Distance between positions.
    x: usize,
}

impl Finish {
    /// What becomes of the channels from `channel` on, whose first map starts at `output`; `residual` likewise.
    pub(super) fn of(
        post: &Post<'_>,
        channels: std::ops::Range<usize>,
        write: Write,
        output: *mut f32,
        residual: Option<*const f32>,
        plane: usize,
    ) -> Self {
        let (factors, offsets) = post.affines::<CHANNELS>(channels);
        let added = if write == Write::Add { Some(output.cast_const()) } else { residual };
        Finish { factors, offsets, clamp: post.clamp(), added, output, plane, zeros: None }
    }

    /// The same, for positions that stand as `columns` say.
    pub(super) fn in_columns(self, columns: &Columns) -> Self {
        let [lines, positions] = columns.heads;
        let zeros = Zeros { lines, y: columns.y / lines, positions, x: columns.x / positions };
        Finish { zeros: (columns.heads != [1, 1]).then_some(zeros), ..self }
    }
}

/// InRegisters a tile of some rows of one or two blocks.
pub(super) struct End<'a> {
    pub finish: &'a Finish,
    /// The first row within the first block, and rows: as many vectors as the tile has.
    pub first: usize,
    pub rows: usize,
    /// The sums: a row of whole vectors for each position, and room for as many as a vector has.
    pub sums: &'a [f32],
    /// Where the positions stand in a map.
    pub pieces: &'a [Piece],
}

impl End<'_> {
    /// Writes them.
    ///
    /// # Safety
    /// All channels can be written, and what is added be read, at all pieces, and nobody else does.
    #[inline(always)]
    pub(super) unsafe fn write<S: Simd>(self, simd: S) {
        simd.call(Checked(self));
    }

    /// As [`End::write`], where channels stand in blocks.
    ///
    /// # Safety
    /// As there; the rows are whole vectors.
    #[inline(always)]
    pub(super) unsafe fn write_blocks<S: Simd>(self, simd: S) {
        simd.call(InBlocks(self));
    }
}

/// The end of a tile that is written from the registers its sums are in: of each of its lines there is one piece, and
/// channels stand in blocks.
#[derive(Clone, Copy)]
pub(super) struct InRegisters<'a> {
    finish: &'a Finish,
    /// The first row within the first block.
    first: usize,
    /// Where the first position of each line stands in a map.
    lines: [isize; 2],
    /// Distance between positions.
    step: usize,
}

impl<'a> InRegisters<'a> {
    /// Those of a tile of so many lines of so many positions, whose first row is the given one of the first block, if that
    /// is how its positions stand.
    ///
    /// # Safety
    /// The rows are whole vectors of channels in blocks. All can be written at all pieces, and what is added be read, and
    /// nobody else does.
    #[inline(always)]
    pub(super) unsafe fn of(
        finish: &'a Finish,
        first: usize,
        pieces: &[Piece],
        lines: usize,
        positions: usize,
    ) -> Option<Self> {
        let whole = |(line, piece): (usize, &Piece)| {
            [piece.from, piece.to] == [line, line + 1].map(|line| line * positions) && piece.step == pieces[0].step
        };
        if pieces.len() != lines || lines > 2 || !pieces.iter().enumerate().all(whole) {
            return None;
        }
        let begins = [pieces[0], pieces[lines - 1]].map(|piece| piece.at + (piece.from * piece.step) as isize);
        Some(InRegisters { finish, first, lines: begins, step: pieces[0].step })
    }

    /// Finishes and writes a line of the sums of a vector of channels.
    ///
    /// # Safety
    /// The tile has this vector and this line, and so many positions.
    #[inline(always)]
    pub(super) unsafe fn put<S: Simd, const P: usize>(&self, simd: S, vector: usize, line: usize, sums: [S::V; P]) {
        let vector = self.finish.vector(simd, self.first + vector * S::LANES);
        // SAFETY: the promises to `of`, and the caller's.
        unsafe { vector.put_line(simd, self.lines[line], self.step, sums) };
    }
}

/// Made by [`End::write_blocks`] alone, under its conditions.
struct InBlocks<'a>(End<'a>);

impl Kernel for InBlocks<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let End { finish, first, rows, sums, pieces } = self.0;
        for begin in (0..rows).step_by(S::LANES) {
            let vector = finish.vector(simd, first + begin);
            // SAFETY: the sums are there; the promise to `write_blocks`.
            unsafe { vector.put_all(simd, pieces, |position| simd.load(sums.as_ptr().add(position * rows + begin))) };
        }
    }
}

/// What becomes of the sums of a vector of channels that stand side by side.
#[derive(Clone, Copy)]
pub(super) struct Vector<V> {
    factor: V,
    offset: V,
    low: V,
    high: V,
    added: Option<*const f32>,
    output: *mut f32,
    zeros: Option<Zeros>,
}

impl<V: Copy> Vector<V> {
    /// Finishes the sums of one position and writes them `at` floats after the block's first.
    ///
    /// # Safety
    /// That place can be written, and what is added be read, and nobody else does.
    #[inline(always)]
    pub(super) unsafe fn put<S: Simd<V = V>>(&self, simd: S, at: isize, sum: V) {
        let mut value = simd.mul_add(sum, self.factor, self.offset);
        // SAFETY: the caller's promise.
        unsafe {
            if let Some(added) = self.added {
                value = simd.add(value, simd.load(added.wrapping_offset(at)));
            }
            simd.store(self.output.wrapping_offset(at), self.clamped(simd, value));
        }
    }

    /// Finishes the sums of positions that stand `step` floats apart, the first of them `at` floats after the block's first,
    /// and writes them.
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    unsafe fn put_line<S: Simd<V = V>, const P: usize>(&self, simd: S, at: isize, step: usize, sums: [V; P]) {
        let place = |position: usize| at + (position * step) as isize;
        // Two loops, since the compiler would ask at each position whether there is anything to add.
        if self.added.is_some() {
            for (position, &sum) in sums.iter().enumerate() {
                // SAFETY: the caller's promise.
                unsafe { self.put(simd, place(position), sum) };
            }
        } else {
            let alone = Vector { added: None, ..*self };
            for (position, &sum) in sums.iter().enumerate() {
                // SAFETY: the caller's promise.
                unsafe { alone.put(simd, place(position), sum) };
            }
        }
        if let Some(zeros) = self.zeros {
            for position in 0..P {
                // SAFETY: the caller's promise.
                unsafe { self.clear(simd, place(position), &zeros) };
            }
        }
    }

    /// Finishes the sums of all positions of some pieces, and writes them.
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    pub(super) unsafe fn put_all<S: Simd<V = V>>(&self, simd: S, pieces: &[Piece], sum: impl Fn(usize) -> V) {
        for &Piece { from, to, at, step } in pieces {
            for position in from..to {
                // SAFETY: the caller's promise.
                unsafe { self.put(simd, at + (position * step) as isize, sum(position)) };
            }
            if let Some(zeros) = self.zeros {
                for position in from..to {
                    // SAFETY: the caller's promise.
                    unsafe { self.clear(simd, at + (position * step) as isize, &zeros) };
                }
            }
        }
    }

    /// Sets to zero what a position is the first of.
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    unsafe fn clear<S: Simd<V = V>>(&self, simd: S, at: isize, zeros: &Zeros) {
        let first = self.output.wrapping_offset(at);
        for y in 0..zeros.lines {
            for x in usize::from(y == 0)..zeros.positions {
                // SAFETY: the caller's promise.
                unsafe { simd.store(first.wrapping_add(y * zeros.y + x * zeros.x), simd.splat(0.0)) };
            }
        }
    }

    /// For sums that are yet to be multiplied by `scale`: powers of two, so that nothing is rounded.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn scaled<S: Simd<V = V>>(self, simd: S, scale: V) -> Self {
        Vector { factor: simd.mul(self.factor, scale), ..self }
    }

    /// Finishes the sums of some positions, to which nothing is added, and writes the largest as [`Vector::put`] does.
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    pub(super) unsafe fn put_largest<S: Simd<V = V>, const N: usize>(&self, simd: S, at: isize, sums: [V; N]) {
        let mut largest = simd.splat(f32::NEG_INFINITY);
        for sum in sums {
            largest = simd.max_or_nan(simd.mul_add(sum, self.factor, self.offset), largest);
        }
        // SAFETY: the caller's promise.
        unsafe { simd.store(self.output.wrapping_offset(at), self.clamped(simd, largest)) };
    }

    /// Applies the activation.
    #[inline(always)]
    fn clamped<S: Simd<V = V>>(&self, simd: S, value: V) -> V {
        simd.clamp(value, self.low, self.high)
    }
}

/// Made by [`End::write`] alone, under its conditions.
struct Checked<'a>(End<'a>);

impl Kernel for Checked<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let End { finish, first, rows, sums, pieces } = self.0;
        let width = rows.next_multiple_of(S::LANES);
        for begin in (0..rows).step_by(S::LANES) {
            let first = first + begin;
            let count = (rows - begin).min(S::LANES);
            // SAFETY: there is room for 16 rows of `width` floats.
            let mut channels = unsafe { simd.columns(sums.as_ptr().add(begin), width) };
            for (i, channel) in channels.iter_mut().enumerate().take(S::LANES) {
                let (factor, offset) = (finish.factors[first + i], finish.offsets[first + i]);
                *channel = simd.mul_add(*channel, simd.splat(factor), simd.splat(offset));
            }
            if finish.added.is_none() {
                finish.clamp(simd, &mut channels);
            }
            for piece in pieces {
                // SAFETY: the promises to `write`.
                unsafe {
                    let (piece, map) = (*piece, first * finish.plane);
                    match finish.added {
                        None => finish.store(simd, &channels, count, piece, map),
                        Some(added) => finish.add(simd, channels, count, piece, map, added),
                    }
                }
            }
        }
    }
}

impl Finish {
    /// What becomes of the channels from the `first` of the block on, which stand side by side.
    #[inline(always)]
    pub(super) fn vector<S: Simd>(&self, simd: S, first: usize) -> Vector<S::V> {
        let place = first / Order::BLOCK * Order::BLOCK * self.plane + first % Order::BLOCK;
        let [factors, offsets] = [&self.factors, &self.offsets].map(|all| &all[first..first + S::LANES]);
        Vector {
            // SAFETY: both are a vector long.
            factor: unsafe { simd.load(factors.as_ptr()) },
            // SAFETY: as above.
            offset: unsafe { simd.load(offsets.as_ptr()) },
            low: simd.splat(self.clamp.0),
            high: simd.splat(self.clamp.1),
            added: self.added.map(|added| added.wrapping_add(place)),
            output: self.output.wrapping_add(place),
            zeros: self.zeros,
        }
    }

    /// Asks for the cache lines that [`End::write_blocks`] writes of some rows from the `first` of the block on, and for what
    /// it adds to them.
    #[inline(always)]
    pub(super) fn ask<S: Simd>(&self, simd: S, first: usize, rows: usize, pieces: &[Piece]) {
        for channel in (first..first + rows).step_by(Order::BLOCK) {
            let map = channel / Order::BLOCK * Order::BLOCK * self.plane;
            for &Piece { from, to, at, step } in pieces {
                for position in from..to {
                    let at = at + (position * step) as isize;
                    simd.prefetch(self.output.wrapping_add(map).wrapping_offset(at));
                    if let Some(added) = self.added {
                        simd.prefetch(added.wrapping_add(map).wrapping_offset(at));
                    }
                }
            }
        }
    }

    /// Applies the activation.
    #[inline(always)]
    fn clamp<S: Simd>(&self, simd: S, channels: &mut [S::V; 16]) {
        let (low, high) = (simd.splat(self.clamp.0), simd.splat(self.clamp.1));
        for channel in channels.iter_mut().take(S::LANES) {
            *channel = simd.clamp(*channel, low, high);
        }
    }

    /// Writes the positions of a piece of `count` channels, the first of which has its map `map` floats in.
    ///
    /// # Safety
    /// They can be written, and nobody else does.
    #[inline(always)]
    unsafe fn store<S: Simd>(&self, simd: S, channels: &[S::V; 16], count: usize, piece: Piece, map: usize) {
        let Piece { from, to, at, step } = piece;
        let output = self.output.wrapping_offset(at).wrapping_add(map);
        for (i, &channel) in channels.iter().enumerate().take(S::LANES) {
            let output = output.wrapping_add(i * self.plane);
            // SAFETY: the caller's promise.
            unsafe {
                match step {
                    _ if i >= count => {}
                    1 => simd.store_part(output, channel, from, to),
                    _ => simd.store_apart(output, channel, from, to),
                }
            }
        }
    }

    /// As [`Finish::store`], after adding what stands at the same places from `added` on.
    ///
    /// # Safety
    /// As there, and what is added can be read.
    #[inline(always)]
    unsafe fn add<S: Simd>(
        &self,
        simd: S,
        mut channels: [S::V; 16],
        count: usize,
        piece: Piece,
        map: usize,
        added: *const f32,
    ) {
        let Piece { from, to, at, step } = piece;
        let added = added.wrapping_offset(at).wrapping_add(map);
        for (i, channel) in channels.iter_mut().enumerate().take(S::LANES) {
            let added = added.wrapping_add(i * self.plane);
            // SAFETY: the caller's promise.
            let part = unsafe {
                match step {
                    _ if i >= count => continue,
                    1 => simd.load_part(added, from, to),
                    _ => simd.load_apart(added, from, to),
                }
            };
            *channel = simd.add(*channel, part);
        }
        self.clamp(simd, &mut channels);
        // SAFETY: the caller's promise.
        unsafe { self.store(simd, &channels, count, piece, map) };
    }
}
