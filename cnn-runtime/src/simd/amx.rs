//! The matrix unit of x86-64 processors (AMX): sums of products of tiles, at sixteen times the rate of vectors.
//!
//! It multiplies bfloat16, which has eight bits of a float's twenty-four. So a float is split into two of them, and a product
//! of floats into three: `high * high + low * high + high * low`, added up in single precision. What is left out is `low * low`
//! and what the split drops, each below 2^-17 of a product (Henry, Tang and Heinecke 2019, "Leveraging the bfloat16 Artificial
//! Intelligence Datatype for Higher-Precision Computations", arXiv 1904.06376). Infinities become NaN on the way, and so do
//! floats that are larger than the largest bfloat16; subnormal parts are zero. So the unit is used only where it is asked for.
//!
//! The unit's eight tiles are registers that the compiler knows nothing of: it keeps nothing in them, and nothing is left in
//! them between calls.

use std::arch::asm;
use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_and_si512, _mm512_castps_si512, _mm512_castsi512_ps, _mm512_loadu_ps,
    _mm512_or_si512, _mm512_set1_epi32, _mm512_srli_epi32, _mm512_storeu_si512, _mm512_sub_ps,
};
use std::mem::offset_of;

/// Rows of a tile.
pub(crate) const ROWS: usize = 16;
/// Floats of a step of a left side's row: 32 high parts, then 32 low ones.
pub(crate) const LEFT: usize = 32;
/// Floats of a step of a right side: two tiles of high parts, then two of low ones.
pub(crate) const RIGHT: usize = 4 * 256;

/// A proof that the unit is there and may be used.
#[derive(Clone, Copy)]
pub(crate) struct Amx(());

/// What the tiles hold: zero and one sums, two a left side, three a right side. The others stay empty: beside a busy thread of
/// the same core, the unit has few tiles to rename, and is half as fast where all eight are in use.
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
    /// The first step of the left side: rows of [`LEFT`] floats, which follow one another.
    pub left: *const f32,
    /// Bytes from one step of it to the next.
    pub left_step: usize,
    /// Steps, one at least.
    pub count: usize,
    /// The right side: [`RIGHT`] floats for each step.
    pub right: *const f32,
    /// Where the sums go: rows of two times sixteen floats.
    pub sums: *mut f32,
    /// Bytes from one row of sums to the next.
    pub row: usize,
    /// Bytes from the first sixteen of a row to the others.
    pub half: usize,
    /// Whether there are earlier sums to add to.
    pub add: bool,
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
        // AMX-BF16 and AMX-TILE, which the seventh leaf has.
        let (bf16, tile) = (1 << 22, 1 << 24);
        if __cpuid(0).eax < 7 || __cpuid_count(7, 0).edx & (bf16 | tile) != bf16 | tile {
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
        for tile in 0..4 {
            shape.row_bytes[tile] = 64;
            shape.rows[tile] = if tile < 3 { rows as u8 } else { ROWS as u8 };
        }
        // SAFETY: the token proves that the unit is there; the shape is one that it knows.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const shape, options(nostack, preserves_flags)) };
        f(Tiles(()));
        // SAFETY: as above. Whoever saves this thread's registers need not save the tiles.
        unsafe { asm!("tilerelease", options(nostack, preserves_flags)) };
    }
}

/// Tiles that have their rows.
#[derive(Clone, Copy)]
pub(crate) struct Tiles(());

impl Tiles {
    /// Computes a product.
    ///
    /// # Safety
    /// All rows of the left side can be read at all steps, and the right side; all rows of the sums can be written.
    #[inline(always)]
    pub(crate) unsafe fn multiply(self, product: Product) {
        // SAFETY: the caller's promise; whoever made the tiles had proved that the unit is there.
        unsafe {
            asm!(
                "mov {left}, [{product} + {LEFT_SIDE}]",
                "mov {count}, [{product} + {COUNT}]",
                "mov {right}, [{product} + {RIGHT_SIDE}]",
                "cmp byte ptr [{product} + {ADD}], 0",
                "jne 3f",
                "tilezero tmm0",
                "tilezero tmm1",
                "jmp 2f",
                "3:",
                "mov {at}, [{product} + {SUMS}]",
                "mov {row}, [{product} + {ROW}]",
                "tileloadd tmm0, [{at} + {row}*1]",
                "add {at}, [{product} + {HALF}]",
                "tileloadd tmm1, [{at} + {row}*1]",
                "2:",
                // High by high.
                "tileloadd tmm2, [{left} + {left_row}*1]",
                "tileloadd tmm3, [{right} + {right_row}*1]",
                "tdpbf16ps tmm0, tmm2, tmm3",
                "tileloadd tmm3, [{right} + {right_row}*1 + 1024]",
                "tdpbf16ps tmm1, tmm2, tmm3",
                // High by low.
                "tileloadd tmm3, [{right} + {right_row}*1 + 3072]",
                "tdpbf16ps tmm1, tmm2, tmm3",
                "tileloadd tmm3, [{right} + {right_row}*1 + 2048]",
                "tdpbf16ps tmm0, tmm2, tmm3",
                // Low by high.
                "tileloadd tmm2, [{left} + {left_row}*1 + 64]",
                "tileloadd tmm3, [{right} + {right_row}*1]",
                "tdpbf16ps tmm0, tmm2, tmm3",
                "tileloadd tmm3, [{right} + {right_row}*1 + 1024]",
                "tdpbf16ps tmm1, tmm2, tmm3",
                "add {left}, [{product} + {LEFT_STEP}]",
                "add {right}, 4096",
                "dec {count}",
                "jnz 2b",
                "mov {at}, [{product} + {SUMS}]",
                "mov {row}, [{product} + {ROW}]",
                "tilestored [{at} + {row}*1], tmm0",
                "add {at}, [{product} + {HALF}]",
                "tilestored [{at} + {row}*1], tmm1",
                product = in(reg) &raw const product,
                left_row = in(reg) 4 * LEFT,
                right_row = in(reg) 64_usize,
                left = out(reg) _,
                count = out(reg) _,
                right = out(reg) _,
                at = out(reg) _,
                row = out(reg) _,
                LEFT_SIDE = const offset_of!(Product, left),
                LEFT_STEP = const offset_of!(Product, left_step),
                COUNT = const offset_of!(Product, count),
                RIGHT_SIDE = const offset_of!(Product, right),
                SUMS = const offset_of!(Product, sums),
                ROW = const offset_of!(Product, row),
                HALF = const offset_of!(Product, half),
                ADD = const offset_of!(Product, add),
                options(nostack),
            );
        }
    }
}

/// Splits two vectors of floats into their high and low parts, in turns: those of a lane side by side, the first vector's
/// first.
///
/// # Safety
/// The processor has AVX-512, both sources are vectors, and both targets have room for one.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn split(sources: [*const f32; 2], [high, low]: [*mut f32; 2]) {
    // SAFETY: the caller's promise.
    let [first, second] = unsafe { [_mm512_loadu_ps(sources[0]), _mm512_loadu_ps(sources[1])] };
    let (half, upper) = (_mm512_set1_epi32(0x8000), _mm512_set1_epi32(0xFFFF_0000_u32.cast_signed()));
    // To the nearest bfloat16, as a float; the lower half of a sum that is not cut off yet is dropped by a shift.
    let rounded = |x| _mm512_add_epi32(_mm512_castps_si512(x), half);
    let cut = |x: __m512i| _mm512_and_si512(x, upper);
    let highs = [rounded(first), rounded(second)];
    let upper_second = cut(highs[1]);
    let lows = [
        rounded(_mm512_sub_ps(first, _mm512_castsi512_ps(cut(highs[0])))),
        rounded(_mm512_sub_ps(second, _mm512_castsi512_ps(upper_second))),
    ];
    // SAFETY: as above.
    unsafe {
        _mm512_storeu_si512(high.cast(), _mm512_or_si512(_mm512_srli_epi32::<16>(highs[0]), upper_second));
        _mm512_storeu_si512(low.cast(), _mm512_or_si512(_mm512_srli_epi32::<16>(lows[0]), cut(lows[1])));
    }
}
