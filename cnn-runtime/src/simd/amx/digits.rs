//! How floats become the digits that the unit multiplies.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_and_si512, _mm512_cvtps_epi32, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_max_epu32, _mm512_mul_ps, _mm512_permutexvar_epi8, _mm512_reduce_max_epu32, _mm512_set1_epi32,
    _mm512_slli_epi32, _mm512_srli_epi32, _mm512_storeu_si512, _mm512_ternarylogic_epi32, _mm512_xor_si512,
};

use super::{DIGITS, LEFT, RIGHT, ROWS, STEP};
use crate::simd::Simd;

/// How floats become whole numbers of three digits, and sums of these floats again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    /// What floats are multiplied by.
    pub up: f32,
    /// What sums are, those of the greatest weight being whole.
    pub down: f32,
}

impl Scale {
    /// The one for floats none of which is greater than `greatest`, the bits of a float without its sign: the power of two
    /// that takes them just short of what three digits hold. NaN if that one is not finite.
    pub(crate) fn of(greatest: u32) -> Scale {
        /// What three digits hold, 127 to the base 256, as the fraction of a float.
        const MOST: u32 = 0x7F_7F7F << 1 & 0x7F_FFFF;
        if greatest >= f32::INFINITY.to_bits() {
            return Scale { up: f32::NAN, down: f32::NAN };
        }
        // Where the greatest float is tiny, there is no power of two to take it there, and digits are lost.
        let exponent = ((greatest >> 23) + u32::from(greatest & 0x7F_FFFF > MOST)).max(24);
        let power = |exponent: u32| f32::from_bits(exponent << 23);
        Scale { up: power(276 - exponent), down: power(exponent - 6) }
    }
}

/// The greatest floats of some vectors, by size and lane by lane: the bits of floats without their signs.
#[derive(Clone, Copy)]
pub(crate) struct Greatest(__m512i);

impl Greatest {
    /// That of no vectors.
    ///
    /// # Safety
    /// The processor has AVX-512, here and below.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(crate) unsafe fn none() -> Greatest {
        Greatest(_mm512_set1_epi32(0))
    }

    /// That of one vector more.
    ///
    /// # Safety
    /// The vector can be read.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(crate) unsafe fn and(self, vector: *const f32) -> Greatest {
        // SAFETY: the caller's promise.
        let floats = unsafe { _mm512_loadu_si512(vector.cast()) };
        Greatest(_mm512_max_epu32(self.0, _mm512_and_si512(floats, _mm512_set1_epi32(i32::MAX))))
    }

    /// That of so many vectors more, which stand `step` floats apart.
    ///
    /// # Safety
    /// All of them can be read.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(crate) unsafe fn and_all(mut self, first: *const f32, count: usize, step: usize) -> Greatest {
        for index in 0..count {
            // SAFETY: the caller's promise.
            self = unsafe { self.and(first.wrapping_add(index * step)) };
        }
        self
    }

    /// That of others together.
    ///
    /// # Safety
    /// See above.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(crate) unsafe fn of_all(others: &[Greatest]) -> Greatest {
        let mut most = _mm512_set1_epi32(0);
        for other in others {
            most = _mm512_max_epu32(most, other.0);
        }
        Greatest(most)
    }

    /// That of each lane, as [`Scale::of`] takes it.
    ///
    /// # Safety
    /// See above.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(crate) unsafe fn lanes(self) -> [u32; 16] {
        let mut lanes = [0; 16];
        // SAFETY: the array is a vector long.
        unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), self.0) };
        lanes
    }

    /// That of all lanes.
    ///
    /// # Safety
    /// See above.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(crate) unsafe fn all(self) -> u32 {
        _mm512_reduce_max_epu32(self.0)
    }
}

/// Writes the digits of four vectors of floats, scaled by a vector `up`: high ones, middle ones `apart` floats later, low ones
/// as far again. Of each lane, the four vectors' digits stand side by side.
///
/// # Safety
/// The processor has AVX-512; sources and `up` are vectors, and there is room for the digits.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn write_digits(sources: [*const f32; 4], up: *const f32, to: *mut f32, apart: usize) {
    /// The bytes and the half of a lane that [`pick`] takes from the first.
    const BYTES: i32 = 0x00FF_00FF;
    const HALVES: i32 = 0x0000_FFFF;
    /// Bits of the first where the mask has ones, else of the second.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn pick(mask: __m512i, first: __m512i, second: __m512i) -> __m512i {
        _mm512_ternarylogic_epi32::<0xCA>(mask, first, second)
    }
    // With 128 added to each, digits are the bytes of a number.
    let half = _mm512_set1_epi32(0x0080_8080);
    // SAFETY: the caller's promise.
    let numbers = unsafe {
        let up = _mm512_loadu_ps(up);
        sources.map(|source| _mm512_add_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(source), up)), half))
    };
    let (bytes, halves, signs) =
        (_mm512_set1_epi32(BYTES), _mm512_set1_epi32(HALVES), _mm512_set1_epi32(0x8080_8080_u32.cast_signed()));
    let [first, second, third, fourth] = numbers;
    // Low and high digits of two numbers, and the middle ones.
    let outer = |a, b| pick(bytes, a, _mm512_slli_epi32::<8>(b));
    let inner = |a, b| pick(bytes, _mm512_srli_epi32::<8>(a), b);
    let (left, right) = (outer(first, second), outer(third, fourth));
    let high = pick(halves, _mm512_srli_epi32::<16>(left), right);
    let low = pick(halves, left, _mm512_slli_epi32::<16>(right));
    let middle = pick(halves, inner(first, second), _mm512_slli_epi32::<16>(inner(third, fourth)));
    for (index, digits) in [high, middle, low].into_iter().enumerate() {
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(to.add(index * apart).cast(), _mm512_xor_si512(digits, signs)) };
    }
}

/// Writes a right side: the digits of sixteen columns, [`RIGHT`] floats for each step. `rows` says of a step which four vectors'
/// digits make up each of its rows. Returns what the sums of each column are multiplied by, none of whose floats is greater
/// than `greatest`.
///
/// # Safety
/// The processor has AVX-512; all sources are vectors.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn write_right<F: Fn(usize) -> [*const f32; 4]>(
    greatest: Greatest,
    digits: &mut [f32],
    rows: impl Fn(usize) -> F,
) -> [f32; ROWS] {
    // SAFETY: the caller's promise.
    let scales = unsafe { greatest.lanes() }.map(Scale::of);
    let ups = scales.map(|scale| scale.up);
    for (step, to) in digits.chunks_exact_mut(RIGHT).enumerate() {
        let sources = rows(step);
        for row in 0..ROWS {
            // SAFETY: the caller's promise; each of a step's digits fills a tile.
            unsafe { write_digits(sources(row), ups.as_ptr(), to[row * STEP / 4..].as_mut_ptr(), RIGHT / DIGITS) };
        }
    }
    scales.map(|scale| scale.down)
}

/// As [`write_right`], of columns that have each step's numbers side by side: `columns` says of a step where the four vectors
/// of its first column are, and how far from there those of the next one.
///
/// # Safety
/// There is a matrix unit; all sources are vectors.
#[inline(always)]
pub(crate) unsafe fn write_right_turned<S: Simd>(
    simd: S,
    digits: &mut [f32],
    columns: impl Fn(usize) -> [(*const f32, usize); 4],
) -> [f32; ROWS] {
    // SAFETY: a processor with a matrix unit has AVX-512.
    let mut greatest = [unsafe { Greatest::none() }; ROWS];
    for step in 0..digits.len() / RIGHT {
        let vectors = columns(step);
        for (column, greatest) in greatest.iter_mut().enumerate() {
            for (first, apart) in vectors {
                // SAFETY: the caller's promise.
                *greatest = unsafe { greatest.and(first.wrapping_add(column * apart)) };
            }
        }
    }
    // SAFETY: as above.
    let scales = greatest.map(|greatest| Scale::of(unsafe { greatest.all() }));
    let mut rows = [[0.0; LEFT]; ROWS];
    for (step, to) in digits.as_chunks_mut::<RIGHT>().0.iter_mut().enumerate() {
        let vectors = columns(step);
        for (column, row) in rows.iter_mut().enumerate() {
            let sources = vectors.map(|(first, apart)| first.wrapping_add(column * apart));
            let up = [scales[column].up; 16];
            // SAFETY: the caller's promise; a row has a vector for each digit.
            unsafe { write_digits(sources, up.as_ptr(), row.as_mut_ptr(), STEP / 4) };
        }
        turn(simd, &rows, to, TILES_APART);
    }
    scales.map(|scale| scale.down)
}

/// Writes the digits of sixteen pixels, scaled by `up`: their `channels`, of which there are four at most, side by side; high
/// digits, middle ones `apart` bytes later, low ones as far again. Up to 64 bytes of each are overwritten.
///
/// # Safety
/// There is a matrix unit; the channels' sources are vectors, and there is room for the digits.
#[target_feature(enable = "avx512f,avx512vbmi")]
pub(crate) unsafe fn write_pixels(sources: [*const f32; 4], channels: usize, up: f32, to: *mut u8, apart: usize) {
    /// Which bytes are those of so many channels, of four.
    const fn bytes(channels: usize) -> [u8; 64] {
        let (mut bytes, mut at) = ([0; 64], 0);
        while at < 16 * channels {
            bytes[at] = (at / channels * 4 + at % channels) as u8;
            at += 1;
        }
        bytes
    }
    static BYTES: [[u8; 64]; 4] = [bytes(1), bytes(2), bytes(3), bytes(4)];
    let mut digits = [0.0; DIGITS * 16];
    // SAFETY: the caller's promise; there is room for three vectors.
    unsafe {
        write_digits(sources, [up; 16].as_ptr(), digits.as_mut_ptr(), 16);
        let bytes = _mm512_loadu_si512(BYTES[channels - 1].as_ptr().cast());
        for (index, digits) in digits.as_chunks::<16>().0.iter().enumerate() {
            let pixels = _mm512_permutexvar_epi8(bytes, _mm512_loadu_si512(digits.as_ptr().cast()));
            _mm512_storeu_si512(to.add(index * apart).cast(), pixels);
        }
    }
}

/// Writes the digits of the floats of a step, which follow one another in memory, scaled by `up`: side by side those whose places
/// leave the same remainder by `phases`, which is 1, 2 or 4. Middle digits stand `digit` bytes behind high ones, low ones as
/// far again, and phases `plane` bytes apart.
///
/// # Safety
/// There is a matrix unit, and room for the digits.
#[target_feature(enable = "avx512f,avx512vbmi")]
pub(crate) unsafe fn write_phases(from: &[f32; STEP], phases: usize, up: f32, to: *mut u8, [digit, plane]: [usize; 2]) {
    /// Where [`write_digits`] has what stands phase by phase.
    const fn bytes(phases: usize) -> [u8; STEP] {
        let (mut bytes, mut at) = ([0; STEP], 0);
        while at < STEP {
            let place = at % (STEP / phases) * phases + at / (STEP / phases);
            bytes[at] = (place % 16 * 4 + place / 16) as u8;
            at += 1;
        }
        bytes
    }
    static BYTES: [[u8; STEP]; 3] = [bytes(1), bytes(2), bytes(4)];
    let mut digits = [0.0; DIGITS * 16];
    let sources = [0, 16, 32, 48].map(|at| from[at..].as_ptr());
    let mut in_phases = [0_u8; STEP];
    // SAFETY: four vectors of floats, and room for three; the caller's promise.
    unsafe {
        write_digits(sources, [up; 16].as_ptr(), digits.as_mut_ptr(), 16);
        let bytes = _mm512_loadu_si512(BYTES[phases.ilog2() as usize].as_ptr().cast());
        for (index, digits) in digits.as_chunks::<16>().0.iter().enumerate() {
            let digits = _mm512_permutexvar_epi8(bytes, _mm512_loadu_si512(digits.as_ptr().cast()));
            _mm512_storeu_si512(in_phases.as_mut_ptr().cast(), digits);
            for (phase, bytes) in in_phases.chunks_exact(STEP / phases).enumerate() {
                to.add(index * digit + phase * plane).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            }
        }
    }
}

/// How far in a step each row is from the next, and its digits: rows of a left side, and of a right one.
pub(crate) const ROWS_APART: [usize; 2] = [LEFT, STEP / 4];
const TILES_APART: [usize; 2] = [STEP / 4, RIGHT / DIGITS];

/// Turns around the digits of a step, sixteen rows of them: what stood in the rows' fours of digits stands in as many rows,
/// so many floats [apart](ROWS_APART).
#[inline(always)]
pub(crate) fn turn<S: Simd>(simd: S, rows: &[[f32; LEFT]; ROWS], to: &mut [f32; RIGHT], [row, digit]: [usize; 2]) {
    assert!(S::LANES == ROWS, "rows are vectors where there is a matrix unit");
    for index in 0..DIGITS {
        let from = rows.as_flattened()[index * ROWS..].as_ptr();
        // SAFETY: sixteen rows, of as many floats each.
        let columns = unsafe { simd.columns(from, LEFT) };
        for (at, column) in columns.into_iter().enumerate() {
            let to = &mut to[at * row + index * digit..][..ROWS];
            // SAFETY: just measured.
            unsafe { simd.store(to.as_mut_ptr(), column) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Amx;
    use super::{DIGITS, Greatest, STEP, Scale, write_digits, write_phases};
    use crate::testing::uniform;

    /// What three digits hold.
    const MOST: f32 = 8_355_711.0;

    #[test]
    fn a_scale_takes_the_greatest_just_short_of_what_digits_hold() {
        for greatest in [1.0, 1.992, 1.993, 3.0_f32.powi(40), 3.0_f32.powi(-40), f32::MAX, 1e-30] {
            let scale = Scale::of(greatest.to_bits());
            assert!((MOST / 2.1..=MOST).contains(&(greatest * scale.up)), "{greatest:e}: {scale:?}");
            // Two numbers of three digits: sums of the greatest weight count 2^32, of which each scale undoes a half.
            assert_eq!(f64::from(scale.up) * f64::from(scale.down), 65536.0, "{greatest:e}");
        }
        assert!(Scale::of(f32::NAN.to_bits()).down.is_nan() && Scale::of(f32::INFINITY.to_bits()).down.is_nan());
        for tiny in [0.0, f32::MIN_POSITIVE, 1e-40] {
            let Scale { up, down } = Scale::of(tiny.to_bits());
            assert!(up.is_finite() && down.is_normal() && tiny * up < MOST);
        }
    }

    #[test]
    fn digits_make_up_the_number() {
        if Amx::detect().is_none() {
            return;
        }
        let mut floats = uniform(1, 64);
        floats[..4].copy_from_slice(&[0.0, -0.0, 1.75, -1.75]);
        // SAFETY: all are vectors; a processor with a matrix unit has AVX-512.
        let greatest = unsafe {
            let vectors = floats.as_chunks::<16>().0.iter();
            vectors.fold(Greatest::none(), |greatest, vector| greatest.and(vector.as_ptr())).all()
        };
        assert_eq!(f32::from_bits(greatest), 1.75);
        let Scale { up, .. } = Scale::of(greatest);
        let mut digits = [0.0; DIGITS * 16];
        let sources = [0, 1, 2, 3].map(|vector| floats[16 * vector..].as_ptr());
        // SAFETY: four vectors, sixteen scales, and room for three; a processor with a matrix unit has AVX-512.
        unsafe { write_digits(sources, [up; 16].as_ptr(), digits.as_mut_ptr(), 16) };
        let digits: &[i8] = bytemuck::cast_slice(&digits);
        for (at, float) in floats.iter().enumerate() {
            // Of each lane, the four vectors' digits stand side by side.
            let place = at % 16 * 4 + at / 16;
            let [high, middle, low] = [0, 1, 2].map(|digit| f64::from(digits[digit * 64 + place]));
            assert_eq!(high * 65536.0 + middle * 256.0 + low, f64::from(float * up).round_ties_even(), "{float}");
        }
    }

    #[test]
    fn digits_of_a_line_stand_phase_by_phase() {
        if Amx::detect().is_none() {
            return;
        }
        let (floats, plane) = (uniform(1, STEP), STEP + 32);
        let floats: &[f32; STEP] = floats.as_array().expect("as many as a step has");
        let Scale { up, .. } = Scale::of(1_f32.to_bits());
        for phases in [1, 2, 4] {
            let digit = phases * plane;
            let mut digits = vec![0_u8; DIGITS * digit];
            // SAFETY: there is a matrix unit, and room for the digits.
            unsafe { write_phases(floats, phases, up, digits.as_mut_ptr(), [digit, plane]) };
            for (place, float) in floats.iter().enumerate() {
                let at = place % phases * plane + place / phases;
                let [high, middle, low] = [0, 1, 2].map(|index| f64::from(digits[index * digit + at].cast_signed()));
                let number = high * 65536.0 + middle * 256.0 + low;
                assert_eq!(number, f64::from(float * up).round_ties_even(), "place {place} of {phases} phases");
            }
        }
    }
}
