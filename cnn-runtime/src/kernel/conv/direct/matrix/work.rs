//! How a product on a matrix unit is laid out: positions as places of staged lines, places in tiles, and scales of inputs.

use std::ops::Range;

use super::PARTS;
use crate::desc::Order;
use crate::dispatch::Isa;
use crate::kernel::conv::direct::Direct;
use crate::kernel::conv::im2col::{Im2col, Stage};
use crate::kernel::parallel::{self, Shared, part};
use crate::simd::amx::{Amx, Greatest, LEFT, ROWS, STEP, Scale};
use crate::simd::{Kernel, Simd};

/// A product to compute.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    pub direct: &'a Direct<'a>,
    pub amx: Amx,
    /// What is read: where that is just each position's own place, all in one line.
    pub input: Im2col<'a>,
    /// Whether each position reads one place, which no other does: then each tile has its own scale, else each sample.
    pub pointwise: bool,
    /// Places of a line.
    pub pitch: usize,
    /// Places of a tile.
    pub rows: usize,
    /// The greatest inputs of each sample's parts, by size, as [`greatest`] has them.
    pub greatest: &'a [f32],
}

impl<'a> Work<'a> {
    pub(super) fn new(direct: &'a Direct<'a>, amx: Amx) -> Self {
        let identity = direct.input.is_identity();
        let input = if identity { direct.input.in_lines(usize::MAX) } else { direct.input };
        let pointwise = input.is_pointwise();
        let [_, w] = input.grid;
        let pitch = input.stage(&(0..w)).pitch;
        let mut work = Work { direct, amx, input, pointwise, pitch, rows: 1, greatest: &[] };
        let places = work.places();
        work.rows = places.div_ceil(places.div_ceil(ROWS));
        work
    }

    /// Positions of a sample.
    pub(super) fn plane(&self) -> usize {
        self.input.grid[0] * self.input.grid[1]
    }

    /// Places of a sample from its first position to its last.
    fn places(&self) -> usize {
        let [h, w] = self.input.grid;
        (h - 1) * self.pitch + w
    }

    /// Tiles of a sample.
    pub(super) fn tiles(&self) -> usize {
        self.places().div_ceil(self.rows)
    }

    /// Tiles of all samples.
    pub(super) fn all_tiles(&self) -> usize {
        self.direct.product.n / self.plane() * self.tiles()
    }

    /// Groups of blocks of input channels, a step each.
    pub(super) fn groups(&self) -> usize {
        (self.direct.product.k / self.input.taps()).div_ceil(STEP)
    }

    /// Phases of the inputs.
    pub(super) fn phases(&self) -> usize {
        if self.pointwise { 1 } else { self.input.stride[0] * self.input.stride[1] }
    }

    /// Floats of digits that each tile of a task has staged, roughly. Lines of padding among them count where a sample has more
    /// of these than of its own: else they are few.
    pub(super) fn staged(&self) -> usize {
        let padding = self.input.reach(0).saturating_sub(self.input.grid[0]) * self.pitch;
        (self.rows + padding.div_ceil(self.tiles())) * self.phases() * self.groups() * LEFT
    }

    /// Whether 32 bits tell how far each step that a tile reads is from the first, with room for the tiles of a task.
    pub(super) fn is_near(&self) -> bool {
        let places = self.group(&self.stage(&(0..1)));
        self.groups() * places * LEFT * size_of::<f32>() < 1 << 31
    }

    /// The sample of a tile, and its places.
    pub(super) fn place(&self, tile: usize) -> (usize, Range<usize>) {
        let (sample, first) = (tile / self.tiles(), tile % self.tiles() * self.rows);
        (sample, first..(first + self.rows).min(self.places()))
    }

    /// The positions of a tile: for each line that it touches, its place in the tile and which positions of it.
    pub(super) fn lines(&self, tile: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
        let (sample, places) = self.place(tile);
        let ([h, w], pitch) = (self.input.grid, self.pitch);
        (places.start / pitch..places.end.div_ceil(pitch)).filter_map(move |y| {
            let [from, to] = [places.start, places.end].map(|place| place.saturating_sub(y * pitch).min(w));
            let first = (sample * h + y) * w;
            (from < to).then(|| (y * pitch + from - places.start, first + from..first + to))
        })
    }

    /// How the inputs of some tiles are staged.
    pub(super) fn stage(&self, tiles: &Range<usize>) -> Stage {
        let [h, w] = self.input.grid;
        let line = |(sample, place): (usize, usize)| sample * h + place / self.pitch;
        let (first, last) = (self.place(tiles.start), self.place(tiles.end - 1));
        let lines = line((first.0, first.1.start))..line((last.0, last.1.end - 1)) + 1;
        self.input.stage(&(lines.start * w..lines.end * w))
    }

    /// Places of a stage's group.
    pub(super) fn group(&self, stage: &Stage) -> usize {
        self.phases() * stage.lines * stage.pitch
    }

    /// Where a sample's input begins, and the floats of it that are read.
    pub(super) fn sample(&self, sample: usize) -> &[f32] {
        let Im2col { data, map, .. } = self.input;
        let len = self.direct.product.k / self.input.taps() * map[0] * map[1];
        &data[sample * self.input.sample..][..len]
    }

    /// Looks for the greatest inputs of the parts of all samples.
    pub(super) fn find_greatest(&self, isa: Isa, greatest: &mut [f32]) {
        let work = greatest.len() / PARTS * self.input.sample;
        let count = greatest.len();
        let shared = Shared::new(greatest);
        parallel::for_each(count, work, |index| {
            let vectors = self.sample(index / PARTS).as_chunks::<16>().0;
            let vectors = &vectors[part(vectors.len(), PARTS, 1, index % PARTS)];
            // SAFETY: each task has a float of its own.
            let into = unsafe { shared.part(index..index + 1) };
            isa.run(Part { vectors, into: &mut into[0] });
        });
    }

    /// The scale of the inputs that a tile reads.
    #[inline(always)]
    pub(super) fn scale(&self, tile: usize) -> Scale {
        let (sample, places) = self.place(tile);
        if !self.pointwise {
            let parts = &self.greatest[sample * PARTS..][..PARTS];
            return Scale::of(parts.iter().map(|greatest| greatest.to_bits()).max().unwrap_or(0));
        }
        let plane = self.input.map[0] * self.input.map[1];
        let step = self.input.stride[1] * Order::BLOCK;
        let blocks = self.sample(sample).chunks_exact(plane * Order::BLOCK);
        // SAFETY: a processor with a matrix unit has AVX-512.
        let mut most = unsafe { Greatest::none() };
        self.for_each_run(
            &places,
            #[inline(always)]
            |_, at, len| {
                for block in blocks.clone() {
                    let run = block[at..][..(len - 1) * step + Order::BLOCK].as_ptr();
                    // SAFETY: just measured; as above.
                    most = unsafe { most.and_all(run, len, step) };
                }
            },
        );
        // SAFETY: as above.
        Scale::of(unsafe { most.all() })
    }

    /// Of pointwise kernels, calls `run(place, at, len)` for some places, line by line: those from `place` on read a block of
    /// channels from `at` on, a stride apart.
    #[inline(always)]
    pub(super) fn for_each_run(&self, places: &Range<usize>, mut run: impl FnMut(usize, usize, usize)) {
        for y in places.start / self.pitch..places.end.div_ceil(self.pitch) {
            let line = (y * self.pitch).max(places.start)..((y + 1) * self.pitch).min(places.end);
            let x = line.start - y * self.pitch;
            run(line.start, self.input.place(y, x), line.len());
        }
    }
}

/// Looks for the greatest of some vectors.
struct Part<'a> {
    vectors: &'a [[f32; 16]],
    into: &'a mut f32,
}

impl Kernel for Part<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        // SAFETY: all are vectors; a processor with a matrix unit has AVX-512.
        let greatest = unsafe { Greatest::none().and_all(self.vectors.as_ptr().cast(), self.vectors.len(), 16).all() };
        *self.into = f32::from_bits(greatest);
    }
}
