//! The matrix unit of x86-64 processors (AMX): exact sums of products of tiles, at many times the rate of vectors.
//!
//! It multiplies bytes. So floats that are summed up together are scaled by a power of two, rounded to whole numbers of 24
//! bits with their sign, and those written as three signed digits to the base 256. Of the nine products of two numbers'
//! digits, the six greatest are added up, those of one weight in sums of their own, which are exact: what rounding and the
//! digits left out take from a product is below 2^-23 of the greatest that there could be, and as often above zero as below
//! (the scheme of Ootomo, Ozaki and Yokota 2024, "DGEMM on integer matrix multiplication unit", arXiv 2306.11975). Vectors,
//! which round each sum, are about as far from the truth. Where one of the floats is infinite or NaN, all their sums are NaN.
//!
//! The unit's eight tiles are registers that the compiler knows nothing of: it keeps nothing in them, and nothing is left in
//! them between calls.

mod digits;

use std::arch::asm;
use std::mem::offset_of;

pub(crate) use self::digits::{
    Greatest, ROWS_APART, Scale, turn, write_digits, write_phases, write_pixels, write_right, write_right_turned,
};
use super::Simd;

/// Rows of a tile, and the columns of sums.
pub(crate) const ROWS: usize = 16;
/// Digits of a number.
pub(crate) const DIGITS: usize = 3;
/// Numbers of a row of a step.
pub(crate) const STEP: usize = 64;
/// Floats that a step of a left side's row takes up: its high digits, its middle ones and its low ones.
pub(crate) const LEFT: usize = DIGITS * STEP / 4;
/// Floats that a step of a right side takes up: a tile of high digits, one of middle and one of low ones.
pub(crate) const RIGHT: usize = ROWS * LEFT;
/// Most products of a sum: more could overflow.
pub(crate) const MOST_PRODUCTS: usize = i32::MAX as usize / (DIGITS << 14);

/// How far each step of a left side is from the first, if so many bytes are between them: a [`Product`]'s steps.
pub(crate) const fn steps_apart<const N: usize>(bytes: usize) -> [u32; N] {
    let (mut steps, mut step) = ([0; N], 0);
    while step < N {
        steps[step] = (step * bytes) as u32;
        step += 1;
    }
    steps
}

/// What the sums of a row are multiplied by, in two steps: at once, and beside their columns' own scales. All at once could be
/// too much for a float although these are small. Powers of two, so that nothing is rounded.
#[inline(always)]
pub(crate) fn in_steps(down: f32) -> [f32; 2] {
    /// Sums are below 2^31.
    const MOST: f32 = (1_u128 << 96) as f32;
    if down > MOST { [MOST, down / MOST] } else { [down, 1.0] }
}

/// A source of digits where there are no numbers.
pub(crate) static ZEROS: [f32; 16] = [0.0; 16];

/// A proof that the unit is there and may be used.
#[derive(Clone, Copy)]
pub(crate) struct Amx(());

/// What the tiles hold: three the sums, one a left side, one a right side. The others stay empty: beside a busy thread of the
/// same core, the unit has few tiles to rename, and is half as fast where all eight are in use.
#[repr(C, align(64))]
struct Shape {
    palette: u8,
    start: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// Sums of the products of a left and a right side, step by step.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Product {
    /// The left side: rows of high digits, middle ones and low ones.
    pub left: *const f32,
    /// Bytes from one row of it to the next, and from one of its digits to the next.
    pub left_apart: [usize; 2],
    /// Bytes from there to each step of it.
    pub steps: *const u32,
    /// Steps, one at least.
    pub count: usize,
    /// The right side: [`RIGHT`] floats for each step.
    pub right: *const f32,
    /// Where the sums go.
    pub sums: *mut Exact,
}

/// The sums of a product: rows of those of the greatest weight, of the middle one, and of the least. Each row is a cache line,
/// lest the unit writes two for it.
#[repr(align(64))]
pub(crate) struct Exact([[[i32; ROWS]; ROWS]; DIGITS]);

impl Exact {
    pub(crate) const ZERO: Exact = Exact([[[0; ROWS]; ROWS]; DIGITS]);

    /// The sums of a row as floats, times what all of the row are multiplied by [at once](in_steps).
    #[inline(always)]
    pub(crate) fn row<S: Simd>(&self, simd: S, row: usize, down: f32) -> S::V {
        assert!(S::LANES == ROWS, "rows are vectors where there is a matrix unit");
        let [high, middle, low] = &self.0;
        let part = simd.splat(1.0 / 256.0);
        // SAFETY: just measured.
        let [high, middle, low] = unsafe {
            [
                simd.load_whole(high[row].as_ptr()),
                simd.load_whole(middle[row].as_ptr()),
                simd.load_whole(low[row].as_ptr()),
            ]
        };
        simd.mul(simd.mul_add(simd.mul_add(low, part, middle), part, high), simd.splat(down))
    }
}

impl Amx {
    /// The unit, if this processor has one and the operating system lets this process use it.
    #[cfg(target_os = "linux")]
    pub(crate) fn detect() -> Option<Amx> {
        use std::arch::x86_64::{__cpuid, __cpuid_count};
        /// Asks the kernel for a part of the processor's state, which it saves from then on.
        const REQUEST: libc::c_long = 0x1023;
        /// The tiles.
        const TILES: libc::c_long = 18;
        // AMX-INT8 and AMX-TILE, which the seventh leaf has.
        let (int8, tile) = (1 << 25, 1 << 24);
        if __cpuid(0).eax < 7 || __cpuid_count(7, 0).edx & (int8 | tile) != int8 | tile {
            return None;
        }
        // Of a later generation of AVX-512 than what vectors ask for; each processor with the unit has it.
        if !is_x86_feature_detected!("avx512vbmi") {
            return None;
        }
        // SAFETY: the call takes two numbers, and touches no memory of ours.
        let refused = unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, TILES) };
        (refused == 0).then_some(Amx(()))
    }

    /// Elsewhere than on Linux nobody asks.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn detect() -> Option<Amx> {
        None
    }

    /// Calls `f` with tiles of so many rows of sums and left sides, at most [`ROWS`].
    #[inline(always)]
    pub(crate) fn with_rows(self, rows: usize, f: impl FnOnce(Tiles)) {
        assert!((1..=ROWS).contains(&rows), "rows of a tile");
        let mut shape = Shape { palette: 1, start: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
        for tile in 0..5 {
            shape.row_bytes[tile] = 64;
            shape.rows[tile] = if tile < 4 { rows as u8 } else { ROWS as u8 };
        }
        // SAFETY: the token proves that the unit is there; the shape is one that it knows.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const shape, options(nostack, preserves_flags)) };
        f(Tiles(()));
        // SAFETY: as above. Whoever saves this thread's registers need not save the tiles.
        unsafe { asm!("tilerelease", options(nostack, preserves_flags)) };
    }
}

/// The distances of a left side whose rows are [`LEFT`] floats of one step.
pub(crate) const CLOSE: [usize; 2] = [LEFT * size_of::<f32>(), STEP];

/// Tiles that have their rows.
#[derive(Clone, Copy)]
pub(crate) struct Tiles(());

impl Tiles {
    /// Computes a product whose right side has a tile for each digit of a step.
    ///
    /// # Safety
    /// All rows of the left side can be read at all steps, and the right side; all sums can be written.
    #[inline(always)]
    pub(crate) unsafe fn multiply(self, product: &Product) {
        // SAFETY: the caller's promise.
        unsafe { self.multiply_by::<64, 1024>(product) };
    }

    /// Computes a product whose right side is rows like those of the left: [`ROWS`] of them are a step.
    ///
    /// # Safety
    /// As for [`Tiles::multiply`].
    #[inline(always)]
    pub(crate) unsafe fn multiply_places(self, product: &Product) {
        // SAFETY: the caller's promise.
        unsafe { self.multiply_by::<{ 4 * LEFT }, 64>(product) };
    }

    /// Computes a product whose right side's rows are so many bytes apart, and its digits.
    #[inline(always)]
    unsafe fn multiply_by<const ROW: usize, const DIGIT: usize>(self, product: &Product) {
        // SAFETY: the caller's promise; whoever made the tiles had proved that the unit is there.
        unsafe {
            asm!(
                "mov {steps}, [{product} + {STEPS}]",
                "mov {count}, [{product} + {COUNT}]",
                "mov {right}, [{product} + {RIGHT_SIDE}]",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "2:",
                "mov {at:e}, [{steps}]",
                "add {at}, [{product} + {LEFT_SIDE}]",
                // High by low, middle and high.
                "tileloadd tmm3, [{at} + {left_row}*1]",
                "tileloadd tmm4, [{right} + {right_row}*1 + 2*{DIGIT}]",
                "tdpbssd tmm2, tmm3, tmm4",
                "tileloadd tmm4, [{right} + {right_row}*1 + {DIGIT}]",
                "tdpbssd tmm1, tmm3, tmm4",
                "tileloadd tmm4, [{right} + {right_row}*1]",
                "tdpbssd tmm0, tmm3, tmm4",
                // Low by high.
                "lea {at}, [{at} + 2*{left_digit}]",
                "tileloadd tmm3, [{at} + {left_row}*1]",
                "tdpbssd tmm2, tmm3, tmm4",
                // Middle by high and middle.
                "sub {at}, {left_digit}",
                "tileloadd tmm3, [{at} + {left_row}*1]",
                "tdpbssd tmm1, tmm3, tmm4",
                "tileloadd tmm4, [{right} + {right_row}*1 + {DIGIT}]",
                "tdpbssd tmm2, tmm3, tmm4",
                "add {right}, 3072",
                "add {steps}, 4",
                "dec {count}",
                "jnz 2b",
                "mov {at}, [{product} + {SUMS}]",
                "mov {right:e}, 64",
                "tilestored [{at} + {right}*1], tmm0",
                "tilestored [{at} + {right}*1 + 1024], tmm1",
                "tilestored [{at} + {right}*1 + 2048], tmm2",
                product = in(reg) &raw const *product,
                left_row = in(reg) product.left_apart[0],
                left_digit = in(reg) product.left_apart[1],
                right_row = in(reg) ROW,
                steps = out(reg) _,
                count = out(reg) _,
                right = out(reg) _,
                at = out(reg) _,
                DIGIT = const DIGIT,
                LEFT_SIDE = const offset_of!(Product, left),
                STEPS = const offset_of!(Product, steps),
                COUNT = const offset_of!(Product, count),
                RIGHT_SIDE = const offset_of!(Product, right),
                SUMS = const offset_of!(Product, sums),
                options(nostack),
            );
        }
    }
}
