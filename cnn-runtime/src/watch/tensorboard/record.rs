//! The framing of TensorFlow's record files: length, checksum of the length, bytes, checksum of the bytes.

use std::io::{self, Write};

/// Writes one record.
pub(super) fn write(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let len = (bytes.len() as u64).to_le_bytes();
    to.write_all(&len)?;
    to.write_all(&masked(crc32c::crc32c(&len)).to_le_bytes())?;
    to.write_all(bytes)?;
    to.write_all(&masked(crc32c::crc32c(bytes)).to_le_bytes())
}

/// Checksums of data that hold checksums themselves are weak; the format turns and shifts them by a constant.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xA282_EAD8)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The records in `bytes`, whose checksums have to hold.
    pub fn read(mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        while !bytes.is_empty() {
            let len = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            let sum = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            assert_eq!(sum(8), masked(crc32c::crc32c(&bytes[..8])));
            let record = &bytes[12..12 + len];
            assert_eq!(sum(12 + len), masked(crc32c::crc32c(record)));
            records.push(record.to_vec());
            bytes = &bytes[16 + len..];
        }
        records
    }

    #[test]
    fn a_record_is_framed_by_its_checksums() {
        // CRC-32C's check value: that of the digits 1 to 9.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(masked(0xE306_9283), 0xC78A_B0E5);
        let mut file = Vec::new();
        write(&mut file, b"one").unwrap();
        write(&mut file, b"").unwrap();
        assert_eq!(file.len(), 16 + 3 + 16);
        assert_eq!(read(&file), [b"one".to_vec(), vec![]]);
    }
}
