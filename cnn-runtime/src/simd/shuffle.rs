//! Indices for [`Simd::pick`](super::Simd::pick).

/// The even lanes of two vectors.
pub(crate) const EVEN: [u32; 16] = every_other(0);
/// The odd lanes of two vectors.
pub(crate) const ODD: [u32; 16] = every_other(1);

const fn every_other(first: u32) -> [u32; 16] {
    let mut indices = [0; 16];
    let mut i = 0;
    while i < 16 {
        indices[i] = 2 * i as u32 + first;
        i += 1;
    }
    indices
}

/// Lanes of two vectors in turns, from lane `first` of both on.
pub(crate) const fn in_turns(lanes: usize, first: usize) -> [u32; 16] {
    let mut indices = [0; 16];
    let mut i = 0;
    while i < lanes {
        indices[i] = (first + i / 2 + i % 2 * lanes) as u32;
        i += 1;
    }
    indices
}
