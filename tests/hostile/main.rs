//! No file makes a loader panic, allocate what the file only claims, or leave a network half loaded.
//!
//! 60,000 files of weights: `CNN_FUZZ=1000000 cargo test --release --test hostile` tries more of them. They are random bytes, and valid
//! files changed in one to four places: bits, bytes, numbers, lengths, things cut out or standing twice.

mod allocator;
mod checkpoints;
mod data;
mod mutation;

use std::io::{Cursor, Read, Write};
use std::path::Path;
use std::sync::Mutex;

use cnn_runtime::prelude::*;
use cnn_runtime::weights::{Loader, Naming, Saver, Weights};
use cnn_runtime::{Error, cnn};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use allocator::peak;
use mutation::{Random, mutate};

cnn! {
    #[derive(Clone, Debug, PartialEq)]
    Net <1x6x6> -> conv(3, 3x3) -> bn -> relu -> conv(5, 3x3) -> relu -> fc(4)
}

/// Files that are tried unless `CNN_FUZZ` says how many.
const FILES: u64 = 60_000;
/// What reading a file may allocate: so much of itself, ..
const PER_BYTE: usize = 64;
/// .. and so much in any case.
const AT_LEAST: usize = 256 << 10;

/// Held by each test while it runs: what is allocated is counted over all threads.
static ALONE: Mutex<()> = Mutex::new(());

/// The network's files, one of each kind.
fn valid(net: &Net) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let saved = |naming, name: &str| {
        let path = folder.path().join(name);
        Saver::new().naming(naming).save(net, &path).unwrap();
        std::fs::read(path).unwrap()
    };
    let stored = saved(Naming::Own, "net.npz");
    let deflated = deflated(&stored);
    let model = folder.path().join("net.onnx");
    net.export_onnx(&model).unwrap();
    let model = std::fs::read(model).unwrap();
    let files = vec![saved(Naming::Own, "net"), saved(Naming::Torchvision, "net"), stored, deflated, model];
    for file in &files {
        let mut loaded = Net::new(2);
        load(&mut loaded, file).unwrap();
        assert_eq!(&loaded, net);
    }
    files
}

/// The same archive with its members deflated.
fn deflated(archive: &[u8]) -> Vec<u8> {
    let mut from = ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut to = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..from.len() {
        let mut member = from.by_index(index).unwrap();
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).unwrap();
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        to.start_file(member.name().unwrap(), options).unwrap();
        to.write_all(&bytes).unwrap();
    }
    to.finish().unwrap().into_inner()
}

fn load(net: &mut Net, file: &[u8]) -> Result<(), Error> {
    let weights = Weights::from_bytes(file)?;
    for tensor in weights.tensors() {
        // Whether they are floats and undamaged or not.
        let _ = (weights.tensor(tensor.name()), weights.integers(tensor.name()));
    }
    Loader::new().apply(net, &weights).map(drop)
}

/// Loads a file into a network, which either takes all of it or stays as it was; returns whether it was loaded.
fn try_one(before: &Net, file: &[u8]) -> bool {
    let mut net = before.clone();
    let (bytes, result) = peak(|| load(&mut net, file));
    assert!(bytes <= AT_LEAST + PER_BYTE * file.len(), "{bytes} bytes for a file of {}", file.len());
    match result {
        Ok(()) => true,
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with("in-memory data") && text.len() < 8_000, "{text}");
            assert_eq!(&net, before, "after {text}");
            false
        }
    }
}

#[test]
fn no_file_harms() {
    let _alone = ALONE.lock();
    let count = std::env::var("CNN_FUZZ").map_or(FILES, |count| count.parse().expect("CNN_FUZZ is a number"));
    let (saved, before) = (Net::new(1), Net::new(2));
    let files = valid(&saved);
    let (mut loaded, mut refused) = (0, 0);
    for seed in 0..count {
        let mut random = Random::new(seed);
        let file = match random.below(20) {
            0 => {
                let len = random.below(2048);
                random.bytes(len)
            }
            _ => {
                let mut file = files[random.below(files.len())].clone();
                mutate(&mut file, &mut random);
                file
            }
        };
        // A panic is caught only to say which file it was.
        match std::panic::catch_unwind(|| try_one(&before, &file)) {
            Ok(true) => loaded += 1,
            Ok(false) => refused += 1,
            Err(panic) => {
                let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("hostile-{seed}"));
                std::fs::write(&path, &file).unwrap();
                eprintln!("file {seed} is kept in {}", path.display());
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!("{loaded} of {count} files were loaded, {refused} were not");
    // Changes of single numbers go unnoticed in safetensors; most others do not.
    assert!(loaded > count / 100 && refused > count / 2);
}
