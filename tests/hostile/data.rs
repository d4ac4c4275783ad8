//! No file of data makes a loader panic, or allocate what the file only claims.
//!
//! 50,000 files: `CNN_FUZZ=1000000 cargo test --release --test hostile data` tries more of them. They are random bytes,
//! headers that claim any size, and valid files changed in one to four places.

mod formats;

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use cnn_runtime::data::{idx::Idx, pictures};
use flate2::{Compression, write::GzEncoder};
use image::{GrayImage, ImageFormat};

use crate::ALONE;
use crate::allocator::peak;
use crate::mutation::{Random, mutate};
use formats::{Format, formats};

/// Files that are tried unless `CNN_FUZZ` says how many.
const FILES: u64 = 50_000;

/// A file that claims to be of the format, or nearly so.
fn hostile(format: &Format, random: &mut Random) -> Vec<u8> {
    match random.below(20) {
        0 => {
            let len = random.below(4096);
            random.bytes(len)
        }
        1 | 2 => {
            let len = random.below(64);
            [(format.header)(random), random.bytes(len)].concat()
        }
        _ => {
            let mut file = format.valid[random.below(format.valid.len())].clone();
            mutate(&mut file, random);
            file
        }
    }
}

/// Reads a file within its bound; returns whether it was read.
fn try_one(format: &Format, file: &[u8], folder: &Path) -> bool {
    let (bytes, result) = peak(|| (format.load)(file, folder));
    let bound = format.at_least + format.per_byte * file.len();
    assert!(bytes <= bound, "{}: {bytes} bytes for a file of {}", format.name, file.len());
    if let Err(error) = &result {
        let text = error.to_string();
        assert!(text.len() < 20_000 + file.len(), "{text}");
    }
    result.is_ok()
}

#[test]
fn no_file_harms() {
    let _alone = ALONE.lock();
    let count = std::env::var("CNN_FUZZ").map_or(FILES, |count| count.parse().expect("CNN_FUZZ is a number"));
    let folder = tempfile::tempdir().unwrap();
    let formats = formats(folder.path());
    for format in &formats {
        for file in &format.valid {
            assert!(try_one(format, file, folder.path()), "a valid file of {}", format.name);
        }
    }
    let shares: u64 = formats.iter().map(|format| format.share).sum();
    for format in &formats {
        let (tried, mut read) = (count * format.share / shares, 0);
        for seed in 0..tried {
            let file = hostile(format, &mut Random::new(seed));
            // A panic is caught only to say which file it was.
            let outcome = std::panic::catch_unwind(|| try_one(format, &file, folder.path()));
            read += u64::from(*outcome.as_ref().unwrap_or(&false));
            if let Err(panic) = outcome {
                let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("hostile-{}-{seed}", format.name));
                fs::write(&path, &file).unwrap();
                eprintln!("file {seed} of {} is kept in {}", format.name, path.display());
                std::panic::resume_unwind(panic);
            }
        }
        println!("{}: {read} of {tried} files were read, the others refused", format.name);
        assert!(read < tried, "{} refuses nothing", format.name);
    }
}

/// A file that unpacks to a thousand times of itself is read as far as its header says.
#[test]
fn a_bomb_does_not_go_off() {
    let _alone = ALONE.lock();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&[0, 0, 8, 1, 0, 0, 0, 100]).unwrap();
    for _ in 0..64 {
        encoder.write_all(&[0; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    let (bytes, result) = peak(|| Idx::from_reader(&bomb[..]));
    assert_eq!(result.unwrap_err().to_string(), "in-memory data: expected 100 bytes of elements, found more");
    assert!(bytes < 256 << 10, "{bytes} bytes");
}

/// A picture of one row or column becomes as large as is asked for, and no larger on the way.
#[test]
fn a_thin_picture_stays_small() {
    let _alone = ALONE.lock();
    for (width, height) in [(1, 65535), (65535, 1)] {
        let mut file = Cursor::new(Vec::new());
        GrayImage::new(width, height).write_to(&mut file, ImageFormat::Png).unwrap();
        let (bytes, result) = peak(|| pictures::picture_from_bytes(file.get_ref(), [3, 224, 224]));
        assert_eq!(result.unwrap().dim(), (3, 224, 224));
        assert!(bytes < 8 << 20, "{bytes} bytes for {width} x {height}");
    }
}
