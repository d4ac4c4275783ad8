//! Files that somebody broke, by accident or on purpose.

use std::ops::Range;

/// Repeatable random numbers: SplitMix64 (Steele, Lea and Flood 2014).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// A place in a file of `len` bytes: mostly near its beginning or its end, where headers and directories stand.
    fn place(&mut self, len: usize) -> usize {
        const NEAR: usize = 1024;
        match self.below(5) {
            0 => self.below(len),
            1 | 2 => self.below(len.min(NEAR)),
            _ => len - 1 - self.below(len.min(NEAR)),
        }
    }

    /// A stretch of a file of `len` bytes.
    fn stretch(&mut self, len: usize, longest: usize) -> Range<usize> {
        let start = self.place(len);
        start..start + 1 + self.below(longest.min(len - start))
    }

    /// A size that nobody can have, or one that is a little wrong.
    fn claim(&mut self) -> u64 {
        let bits = 1u64 << self.below(64);
        [u64::MAX, i64::MAX as u64, u64::from(u32::MAX), bits, bits - 1, 0][self.below(6)]
    }
}

/// Changes a file in one to four places.
pub fn mutate(file: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        if file.is_empty() {
            return;
        }
        mutate_once(file, random);
    }
}

fn mutate_once(file: &mut Vec<u8>, random: &mut Random) {
    let place = random.place(file.len());
    match random.below(8) {
        0 => file[place] ^= 1 << random.below(8),
        1 => file[place] = random.next() as u8,
        2 => file.truncate(place),
        3 => drop(file.drain(random.stretch(file.len(), 64))),
        // Something stands twice.
        4 => {
            let twice = file[random.stretch(file.len(), 256)].to_vec();
            file.splice(place..place, twice);
        }
        // A number in binary.
        5 => {
            let claim = random.claim().to_le_bytes();
            let width = [2, 4, 8][random.below(3)].min(file.len() - place);
            file[place..place + width].copy_from_slice(&claim[..width]);
        }
        // A number in a text, where the next one stands.
        6 => {
            let Some(start) = file[place..].iter().position(u8::is_ascii_digit).map(|at| place + at) else { return };
            let digits = file[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            file.splice(start..start + digits, random.claim().to_string().into_bytes());
        }
        // What means something in one of the formats.
        _ => {
            let words: [&[u8]; 8] = [b"{", b"}", b"[", b"\"", b"PK\x05\x06", b"PK\x06\x06", b"\x93NUMPY\x02\0", b"F64"];
            let word = words[random.below(words.len())];
            let end = file.len().min(place + word.len());
            file.splice(place..end, word.iter().copied());
        }
    }
}
