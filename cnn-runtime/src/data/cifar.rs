//! The binary layout of CIFAR-10, gzipped or not: records of a label byte and 3 planes of 32x32 bytes, red, green and
//! blue (<https://www.cs.toronto.edu/~kriz/cifar.html>).

use std::io::Read;
use std::path::{Path, PathBuf};

use super::file::{self, Source};
use super::{Images, Split};
use crate::error::Error;

/// Shape of an image.
pub const SHAPE: [usize; 3] = [3, 32, 32];
/// Number of classes.
pub const CLASSES: usize = 10;

const PIXELS: usize = SHAPE[0] * SHAPE[1] * SHAPE[2];
const RECORD: usize = 1 + PIXELS;
/// Records of one file at most, twenty times what CIFAR-10 has in all. Stops a small file from unpacking to a huge one.
const MAX_RECORDS: usize = 1_200_000;

/// Reads files one after the other, as if they were one.
///
/// # Errors
/// [`Error::Io`] if a file cannot be read or unpacked, [`Error::Format`] if it is empty, too large or not a whole number
/// of records, [`Error::LabelOutOfRange`] for a label that is not below 10.
pub fn files(paths: &[impl AsRef<Path>]) -> Result<Images, Error> {
    let mut records = Records::default();
    for path in paths {
        records.read(&mut Source::open(path.as_ref())?)?;
    }
    records.finish()
}

/// Reads a stream.
///
/// # Errors
/// As [`files`].
pub fn from_reader(reader: impl Read) -> Result<Images, Error> {
    let mut records = Records::default();
    records.read(&mut Source::from_reader(reader)?)?;
    records.finish()
}

/// Reads the training or test part from a folder: `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`, or
/// `train.bin` and `test.bin`, each with or without `.gz`.
///
/// # Errors
/// As [`files`].
pub fn folder(folder: impl AsRef<Path>, split: Split) -> Result<Images, Error> {
    let folder = folder.as_ref();
    let short = split.pick("train.bin", "test.bin");
    if file::exists(folder, short) {
        return files(&[file::find(folder, short)]);
    }
    let batches: Vec<PathBuf> = match split {
        Split::Train => (1..=5).map(|batch| file::find(folder, &format!("data_batch_{batch}.bin"))).collect(),
        Split::Test => vec![file::find(folder, "test_batch.bin")],
    };
    files(&batches)
}

#[derive(Default)]
struct Records {
    pixels: Vec<u8>,
    labels: Vec<usize>,
}

impl Records {
    fn read(&mut self, source: &mut Source<'_>) -> Result<(), Error> {
        let bytes = source.up_to(MAX_RECORDS * RECORD)?;
        if bytes.is_empty() || bytes.len() % RECORD != 0 || bytes.len() > MAX_RECORDS * RECORD {
            return Err(source.invalid(format!(
                "expected 1 to {MAX_RECORDS} records of {RECORD} bytes, found {} bytes",
                bytes.len()
            )));
        }
        for record in bytes.chunks_exact(RECORD) {
            self.labels.push(usize::from(record[0]));
            self.pixels.extend(&record[1..]);
        }
        Ok(())
    }

    fn finish(self) -> Result<Images, Error> {
        Images::new(SHAPE, self.pixels, self.labels, CLASSES)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Dataset, Draw};
    use super::*;

    fn record(label: u8, red: u8, blue: u8) -> Vec<u8> {
        let mut bytes = vec![label];
        bytes.extend([red; 1024]);
        bytes.extend([0; 1024]);
        bytes.extend([blue; 1024]);
        bytes
    }

    #[test]
    fn reads_labels_and_planes() {
        let images = from_reader(&[record(3, 255, 51), record(9, 0, 102)].concat()[..]).unwrap();
        assert_eq!((images.len(), images.shape(), images.labels()), (2, SHAPE, &[3, 9][..]));
        let mut image = vec![f32::NAN; PIXELS];
        assert_eq!(images.read(Draw::of(0), &mut image).unwrap(), 3);
        assert_eq!((image[0], image[1024], image[3071]), (1.0, 0.0, 0.2));
    }

    #[test]
    fn says_what_is_wrong() {
        let message = |bytes: &[u8]| from_reader(bytes).unwrap_err().to_string();
        assert!(message(&record(0, 0, 0)[1..]).contains("records of 3073 bytes, found 3072 bytes"));
        assert!(message(&[]).contains("found 0 bytes"));
        assert_eq!(message(&record(10, 0, 0)), "label 10 of sample 0 is out of range: expected 0 to 9");
    }

    #[test]
    fn finds_either_naming_in_a_folder() {
        let temporary = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(temporary.path().join(name), bytes).unwrap();
        for batch in 1..=5 {
            write(&format!("data_batch_{batch}.bin"), &record(batch, 0, 0));
        }
        assert_eq!(folder(&temporary, Split::Train).unwrap().labels(), [1, 2, 3, 4, 5]);
        write("test.bin", &record(7, 0, 0));
        assert_eq!(folder(&temporary, Split::Test).unwrap().labels(), [7]);
        std::fs::remove_file(temporary.path().join("data_batch_4.bin")).unwrap();
        let error = folder(&temporary, Split::Train).unwrap_err();
        assert!(error.to_string().contains("data_batch_4.bin"), "{error}");
    }

    proptest! {
        #[test]
        fn any_bytes_give_images_or_an_error(
            start in proptest::collection::vec(any::<u8>(), 0..8),
            len in prop_oneof![Just(RECORD), Just(2 * RECORD), 0..2 * RECORD],
        ) {
            let mut bytes = start;
            bytes.resize(len.max(bytes.len()), 1);
            if let Ok(images) = from_reader(&bytes[..]) {
                prop_assert_eq!(images.len() * RECORD, bytes.len());
            }
        }
    }
}
