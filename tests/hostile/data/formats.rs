//! The formats that are tried: how they are read, what is valid, and what may be allocated.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use cnn_runtime::Error;
use cnn_runtime::data::cifar100::{self, Labels};
use cnn_runtime::data::idx::{self, Idx};
use cnn_runtime::data::{Header, ImageFiles, cifar, pictures};
use flate2::{Compression, write::GzEncoder};

use crate::mutation::Random;

pub struct Format {
    pub name: &'static str,
    pub valid: Vec<Vec<u8>>,
    /// The beginning of a file that claims something.
    pub header: fn(&mut Random) -> Vec<u8>,
    /// Reads a file. May write to the folder.
    pub load: fn(&[u8], &Path) -> Result<(), Error>,
    /// Its part of the files that are tried.
    pub share: u64,
    /// Bytes that reading may allocate in any case, and for each byte of the file.
    pub at_least: usize,
    pub per_byte: usize,
}

/// What reading any file takes.
const PLAIN: usize = 128 << 10;
/// deflate makes at most 1,032 bytes of one; they stand in memory twice, and vectors grow to twice their size.
const PACKED: usize = 6 * 1032;
/// What a small file may claim to be as a picture, several times over while it is decoded.
const PICTURE: usize = 128 << 20;

pub fn formats(folder: &Path) -> Vec<Format> {
    let random = |len| Random::new(1).bytes(len);
    let idx = [vec![0, 0, 8, 3, 0, 0, 0, 7, 0, 0, 0, 11, 0, 0, 0, 13], random(7 * 11 * 13)].concat();
    fs::write(folder.join("labels"), [0, 0, 8, 1, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7]).unwrap();
    let cifar = [vec![3], random(3072), vec![9], random(3072)].concat();
    let cifar100 = [vec![19, 99], random(3072), vec![0, 1], random(3072)].concat();
    let read_cifar100: fn(&[u8], &Path) -> _ = |file, _| {
        let [fine, coarse] = [Labels::Fine, Labels::Coarse].map(|labels| cifar100::from_reader(file, labels));
        fine.and(coarse).map(drop)
    };
    let plain = |name, valid, load| Format {
        name,
        valid: vec![valid],
        header: idx_header,
        load,
        share: 24,
        at_least: PLAIN,
        // A label byte becomes a number of eight, and vectors grow to twice their size.
        per_byte: 24,
    };
    let packed = |name, format: Format| Format {
        name,
        valid: vec![gzip(&format.valid[0])],
        header: gzip_header,
        per_byte: PACKED,
        ..format
    };
    vec![
        plain("idx", idx.clone(), |file, _| Idx::from_reader(file).map(drop)),
        packed("idx.gz", plain("", idx.clone(), |file, _| Idx::from_reader(file).map(drop))),
        Format {
            // Writing takes its time.
            share: 1,
            ..plain("idx pair", idx, |file, folder| {
                fs::write(folder.join("images"), file).unwrap();
                idx::images(folder.join("images"), folder.join("labels"), 10).map(drop)
            })
        },
        plain("CIFAR-10", cifar.clone(), |file, _| cifar::from_reader(file).map(drop)),
        packed("CIFAR-10.gz", plain("", cifar, |file, _| cifar::from_reader(file).map(drop))),
        plain("CIFAR-100", cifar100.clone(), read_cifar100),
        packed("CIFAR-100.gz", plain("", cifar100, read_cifar100)),
        Format {
            valid: vec![
                b"path,class\na/0.png,cat\n\"b/1.jpg\",\"dog, old\"\nc.webp,cat\n".to_vec(),
                b"0.png,1\r\n1.png,65535\r\n2.png,0\r\n".to_vec(),
            ],
            header: csv_header,
            share: 24,
            // Classes by number have names: 65,536 of them.
            at_least: 8 << 20,
            per_byte: 1024,
            ..plain("CSV", Vec::new(), |file, folder| {
                ImageFiles::from_csv_reader(file, folder, Header::Present, [3, 2, 2]).map(drop)
            })
        },
        Format {
            valid: encoded_pictures(),
            share: 12,
            at_least: PICTURE,
            per_byte: PACKED,
            ..plain("pictures", Vec::new(), |file, _| pictures::picture_from_bytes(file, [3, 2, 2]).map(drop))
        },
    ]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A header with up to 6 sizes, many of them enormous.
fn idx_header(random: &mut Random) -> Vec<u8> {
    let sizes = random.below(7) as u8;
    let size = |_| {
        let bits = random.below(33);
        ((random.next() & u64::from(u32::MAX)) >> bits) as u32
    };
    [vec![0, 0, 8, sizes], (0..sizes).map(size).flat_map(u32::to_be_bytes).collect()].concat()
}

fn gzip_header(random: &mut Random) -> Vec<u8> {
    gzip(&idx_header(random))
}

fn csv_header(random: &mut Random) -> Vec<u8> {
    format!("path,class\na.png,{}\n\"", random.next() >> random.below(64)).into_bytes()
}

/// A small drawing in each format.
fn encoded_pictures() -> Vec<Vec<u8>> {
    use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
    let picture = RgbImage::from_fn(20, 12, |x, y| Rgb([(x * 73 + y * 31) as u8, (x * y) as u8, 9]));
    let encode = |format| {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::from(picture.clone()).write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP].map(encode).into()
}
