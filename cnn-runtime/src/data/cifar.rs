//! The binary layout of CIFAR-10, gzipped or not: records of a label byte and 3 planes of 32x32 bytes, red, green and
//! blue (<https://www.cs.toronto.edu/~kriz/cifar.html>).

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::file::{self, Source};
use super::{Images, Split};
use crate::error::Error;

/// Shape of an image.
pub const SHAPE: [usize; 3] = [3, 32, 32];
/// Number of classes.
pub const CLASSES: usize = 10;

const PIXELS: usize = SHAPE[0] * SHAPE[1] * SHAPE[2];
/// Records of one file at most, twenty times what CIFAR-10 has in all. Stops a small file from unpacking to a huge one.
const MAX_RECORDS: usize = 1_200_000;

/// Reads files one after the other, as if they were one.
///
/// # Errors
/// [`Error::Io`] if a file cannot be read or unpacked, [`Error::Format`] if it is empty, too large or not a whole number
/// of records, [`Error::LabelOutOfRange`] for a label that is not below 10.
pub fn files(paths: &[impl AsRef<Path>]) -> Result<Images, Error> {
    LAYOUT.files(paths)
}

/// Reads a stream.
///
/// # Errors
/// As [`files`].
pub fn from_reader(reader: impl Read) -> Result<Images, Error> {
    LAYOUT.stream(reader)
}

/// Reads the training or test part from a folder: `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`, or
/// `train.bin` and `test.bin`, each with or without `.gz`. With the names of the classes if `batches.meta.txt` is there.
///
/// # Errors
/// As [`files`].
pub fn folder(folder: impl AsRef<Path>, split: Split) -> Result<Images, Error> {
    let folder = folder.as_ref();
    let short = split.pick("train.bin", "test.bin");
    let paths: Vec<PathBuf> = match split {
        _ if file::exists(folder, short) => vec![file::find(folder, short)],
        Split::Train => (1..=5).map(|batch| file::find(folder, &format!("data_batch_{batch}.bin"))).collect(),
        Split::Test => vec![file::find(folder, "test_batch.bin")],
    };
    with_class_names(files(&paths)?, &folder.join("batches.meta.txt"))
}

/// CIFAR-10's.
const LAYOUT: Layout = Layout { labels: 1, label: 0, classes: CLASSES };

/// What stands in a record before the pixels.
pub(super) struct Layout {
    /// Label bytes.
    pub labels: usize,
    /// Which of them is the label.
    pub label: usize,
    /// Number of classes.
    pub classes: usize,
}

impl Layout {
    /// Reads files one after the other, as if they were one.
    pub fn files(&self, paths: &[impl AsRef<Path>]) -> Result<Images, Error> {
        let mut records = Records::default();
        for path in paths {
            self.read(&mut records, &mut Source::open(path.as_ref())?)?;
        }
        Images::new(SHAPE, records.pixels, records.labels, self.classes)
    }

    /// Reads a stream.
    pub fn stream(&self, reader: impl Read) -> Result<Images, Error> {
        let mut records = Records::default();
        self.read(&mut records, &mut Source::from_reader(reader)?)?;
        Images::new(SHAPE, records.pixels, records.labels, self.classes)
    }

    fn read(&self, records: &mut Records, source: &mut Source<'_>) -> Result<(), Error> {
        let record = self.labels + PIXELS;
        let bytes = source.up_to(MAX_RECORDS * record)?;
        if bytes.is_empty() || bytes.len() % record != 0 || bytes.len() > MAX_RECORDS * record {
            return Err(source.invalid(format!(
                "expected 1 to {MAX_RECORDS} records of {record} bytes, found {} bytes",
                bytes.len()
            )));
        }
        for record in bytes.chunks_exact(record) {
            records.labels.push(usize::from(record[self.label]));
            records.pixels.extend(&record[self.labels..]);
        }
        Ok(())
    }
}

#[derive(Default)]
struct Records {
    pixels: Vec<u8>,
    labels: Vec<usize>,
}

/// Names the classes by the lines of a file, if there is one. Blank lines do not count.
pub(super) fn with_class_names(images: Images, names: &Path) -> Result<Images, Error> {
    match fs::read_to_string(names) {
        Ok(text) => images
            .with_class_names(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(Into::into).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(images),
        Err(error) => Err(Error::Io { path: Some(names.to_owned()), error }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Dataset, Draw};
    use super::*;

    const RECORD: usize = 1 + PIXELS;

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
        assert!(folder(&temporary, Split::Test).unwrap().class_names().is_empty());
        write("batches.meta.txt", b"a0\na1\na2\na3\na4\na5\na6\na7\na8\na9\n\n");
        assert_eq!(folder(&temporary, Split::Test).unwrap().class_names()[7], "a7");
        write("batches.meta.txt", b"a0\n");
        let error = folder(&temporary, Split::Test).unwrap_err();
        assert_eq!(error.to_string(), "names of classes: expected 10, found 1");
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
