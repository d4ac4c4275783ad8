//! What the memory can do: a loop that reads, changes and writes as many floats as a kernel has to, and computes next to
//! nothing.

#![allow(unsafe_code)] // calls functions compiled for instructions that were detected

use std::hint::black_box;
use std::ops::Range;
use std::time::Duration;

use cnn_runtime::Buffer;
use rayon::prelude::*;

use crate::clock::{Seconds, measure};

/// Floats from which it pays to share them among threads.
const SHARED: usize = 1 << 16;
/// Floats that are read, changed or written in one go, so that loads and stores overlap.
const PIECE: usize = 1 << 11;

/// The floats that a kernel cannot but move, each counted once however often the kernel touches it.
#[derive(Clone, Copy, Default)]
pub struct Traffic {
    /// Read.
    pub read: usize,
    /// Read and overwritten.
    pub updated: usize,
    /// Written without a look at what was there.
    pub written: usize,
}

impl Traffic {
    /// Bytes read and bytes written.
    pub fn bytes(self) -> usize {
        4 * (self.read + 2 * self.updated + self.written)
    }

    fn floats(self) -> usize {
        self.read + self.updated + self.written
    }

    /// Seconds of a plain loop over as much memory, on the threads of the current pool if it is much.
    pub fn seconds(self, budget: Duration) -> Seconds {
        let threads = if self.floats() < SHARED { 1 } else { rayon::current_num_threads() };
        let share = |len: usize| ones(len.div_ceil(threads));
        let mut all: Vec<Share> = (0..threads)
            .map(|_| Share { read: share(self.read), updated: share(self.updated), written: share(self.written) })
            .collect();
        measure(budget, || match &mut all[..] {
            [one] => one.stream(),
            all => all.par_iter_mut().with_max_len(1).for_each(Share::stream),
        })
    }
}

fn ones(len: usize) -> Buffer {
    let mut buffer = Buffer::zeroed(len);
    buffer.fill(1.0);
    buffer
}

/// What one thread moves.
struct Share {
    read: Buffer,
    updated: Buffer,
    written: Buffer,
}

impl Share {
    fn stream(&mut self) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the feature was detected just above.
            return unsafe { stream_avx512(self) };
        } else if is_x86_feature_detected!("avx2") {
            // SAFETY: the feature was detected just above.
            return unsafe { stream_avx2(self) };
        }
        stream(self);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn stream_avx512(share: &mut Share) {
    stream(share);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn stream_avx2(share: &mut Share) {
    stream(share);
}

/// Inlined into the functions above, so that it is compiled for their instructions.
#[inline(always)]
fn stream(share: &mut Share) {
    let (read, updated, written) = (&share.read[..], &mut share.updated[..], &mut share.written[..]);
    let lens = [read.len(), updated.len(), written.len()];
    let pieces = lens.into_iter().max().unwrap_or_default().div_ceil(PIECE);
    let mut sums = [0.0; 32];
    for i in 0..pieces {
        // Reading four places in turn brings more than one after the other: the hardware loads ahead in each page.
        let quarter = |q| {
            let quarter = &read[cut(lens[0], q, 4)];
            quarter[cut(quarter.len(), i, pieces)].chunks_exact(32)
        };
        for (((a, b), c), d) in quarter(0).zip(quarter(1)).zip(quarter(2)).zip(quarter(3)) {
            for (lane, sum) in sums.iter_mut().enumerate() {
                *sum += (a[lane] + b[lane]) + (c[lane] + d[lane]);
            }
        }
        for value in &mut updated[cut(lens[1], i, pieces)] {
            *value = 1.5 - *value;
        }
        written[cut(lens[2], i, pieces)].fill(1.5);
    }
    black_box(sums);
}

/// The `i`th of `pieces` parts of `len` floats, cut between cache lines.
#[inline(always)]
fn cut(len: usize, i: usize, pieces: usize) -> Range<usize> {
    let at = |i: usize| if i == pieces { len } else { (len * i / pieces) & !15 };
    at(i)..at(i + 1)
}
