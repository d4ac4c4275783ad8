//! The IDX format of MNIST, Fashion-MNIST and their kin, gzipped or not.
//!
//! A file is a magic number (two zeros, the type of its elements, the number of its dimensions), a big-endian 32-bit
//! size per dimension, and the elements (<http://yann.lecun.com/exdb/mnist/>).

use std::io::Read;
use std::path::Path;

use super::file::{self, Source};
use super::{Images, Split};
use crate::error::Error;

/// The type of unsigned bytes, the only one in which images and labels come.
const UNSIGNED_BYTE: u8 = 8;
/// Dimensions of a file at most; images have three or four, labels one.
const MAX_DIMENSIONS: usize = 4;

/// An IDX file of unsigned bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idx {
    /// Size of each dimension, the slowest first.
    pub shape: Vec<usize>,
    /// The elements in row-major order.
    pub values: Vec<u8>,
}

impl Idx {
    /// Reads a file, gzipped or not.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read or unpacked, [`Error::Format`] if it is not an IDX file of unsigned bytes or
    /// its length is not what its header says. Never allocates more than the file holds.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        read(&mut Source::open(path.as_ref())?)
    }

    /// Reads a stream, gzipped or not.
    ///
    /// # Errors
    /// As [`Idx::open`].
    pub fn from_reader(reader: impl Read) -> Result<Self, Error> {
        read(&mut Source::from_reader(reader)?)
    }
}

fn read(source: &mut Source<'_>) -> Result<Idx, Error> {
    let [zero, also_zero, kind, dimensions] = source.array("a magic number of 4 bytes")?;
    if (zero, also_zero) != (0, 0) {
        return Err(source.invalid(format!("expected an IDX file, which starts with 0 0, found {zero} {also_zero}")));
    }
    if kind != UNSIGNED_BYTE {
        return Err(source.invalid(format!("expected elements of type {UNSIGNED_BYTE} (unsigned bytes), found {kind}")));
    }
    let dimensions = usize::from(dimensions);
    if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
        return Err(source.invalid(format!("expected 1 to {MAX_DIMENSIONS} dimensions, found {dimensions}")));
    }
    let mut shape = Vec::with_capacity(dimensions);
    for _ in 0..dimensions {
        shape.push(u32::from_be_bytes(source.array("the size of a dimension")?) as usize);
    }
    let Some(len) = shape.iter().try_fold(1usize, |len, &side| len.checked_mul(side)) else {
        return Err(source.invalid(format!("expected sizes that memory can hold, found {shape:?}")));
    };
    let values = source.rest(len, "elements")?;
    Ok(Idx { shape, values })
}

/// Reads images and their labels: `[samples, height, width]`, or `[samples, channels, height, width]`, and `[samples]`.
///
/// # Errors
/// As [`Idx::open`], [`Error::DataMismatch`] if the two do not belong together, and [`Error::LabelOutOfRange`] for a
/// label that is not below `classes`.
pub fn images(images: impl AsRef<Path>, labels: impl AsRef<Path>, classes: usize) -> Result<Images, Error> {
    combine(Idx::open(images)?, Idx::open(labels)?, classes)
}

/// Images out of two files.
fn combine(images: Idx, labels: Idx, classes: usize) -> Result<Images, Error> {
    let mismatch = |what, expected: &str, found: &[usize]| Error::DataMismatch {
        what,
        expected: expected.to_owned(),
        found: format!("{found:?}"),
    };
    let (samples, shape) = match images.shape[..] {
        [n, h, w] => (n, [1, h, w]),
        [n, c, h, w] => (n, [c, h, w]),
        _ => return Err(mismatch("shape of the images", "[n, h, w] or [n, c, h, w]", &images.shape)),
    };
    if labels.shape != [samples] {
        return Err(mismatch("shape of the labels", &format!("[{samples}], one per image"), &labels.shape));
    }
    Images::new(shape, images.values, labels.values.into_iter().map(usize::from).collect(), classes)
}

/// Reads the training or test part of MNIST, or of a set laid out like it, from a folder with the four usual files
/// (`train-images-idx3-ubyte` and so on, with or without `.gz`). 10 classes.
///
/// # Errors
/// As [`images`].
pub fn mnist(folder: impl AsRef<Path>, split: Split) -> Result<Images, Error> {
    let (folder, prefix) = (folder.as_ref(), split.pick("train", "t10k"));
    let path = |name: &str| file::find(folder, &format!("{prefix}-{name}"));
    images(path("images-idx3-ubyte"), path("labels-idx1-ubyte"), 10)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;

    use super::super::Dataset;
    use super::*;

    fn encode(shape: &[u32], values: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, UNSIGNED_BYTE, shape.len() as u8];
        shape.iter().for_each(|side| bytes.extend(side.to_be_bytes()));
        bytes.extend(values);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn message(bytes: &[u8]) -> String {
        Idx::from_reader(bytes).unwrap_err().to_string()
    }

    #[test]
    fn reads_plain_and_gzipped() {
        let bytes = encode(&[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
        let expected = Idx { shape: vec![2, 1, 3], values: vec![1, 2, 3, 4, 5, 6] };
        assert_eq!(Idx::from_reader(&bytes[..]).unwrap(), expected);
        assert_eq!(Idx::from_reader(&gzip(&bytes)[..]).unwrap(), expected);
    }

    #[test]
    fn says_what_is_wrong() {
        assert!(message(b"").contains("expected a magic number of 4 bytes, found the end"));
        assert!(message(b"\x89PNG").contains("starts with 0 0, found 137 80"));
        assert!(message(&[0, 0, 13, 1]).contains("expected elements of type 8 (unsigned bytes), found 13"));
        assert!(message(&[0, 0, 8, 0]).contains("expected 1 to 4 dimensions, found 0"));
        assert!(message(&encode(&[2, 3], &[0; 5])).contains("expected 6 bytes of elements, found 5"));
        assert!(message(&encode(&[2, 3], &[0; 7])).contains("expected 6 bytes of elements, found more"));
        let missing = Idx::open("/no/such/file").unwrap_err();
        assert!(matches!(missing, Error::Io { path: Some(_), .. }), "{missing}");
        let packed = gzip(&encode(&[6], &[0; 6]));
        assert!(matches!(Idx::from_reader(&packed[..packed.len() - 9]), Err(Error::Io { .. })));
    }

    #[test]
    fn a_hostile_size_allocates_nothing() {
        assert!(message(&encode(&[u32::MAX; 4], &[0; 9])).contains("sizes that memory can hold"));
        assert!(message(&encode(&[u32::MAX, 1 << 20], &[0; 9])).contains("found 9"));
    }

    #[test]
    fn images_and_labels_have_to_belong_together() {
        let images = Idx { shape: vec![2, 1, 2], values: vec![0, 255, 51, 0] };
        let labels = |values: Vec<u8>| Idx { shape: vec![values.len()], values };
        let good = combine(images.clone(), labels(vec![7, 9]), 10).unwrap();
        assert_eq!((good.len(), good.shape(), good.labels()), (2, [1, 1, 2], &[7, 9][..]));
        let message = |labels| combine(images.clone(), labels, 10).unwrap_err().to_string();
        assert_eq!(message(labels(vec![7])), "shape of the labels: expected [2], one per image, found [1]");
        assert_eq!(message(labels(vec![7, 10])), "label 10 of sample 1 is out of range: expected 0 to 9");
        assert!(combine(labels(vec![0]), labels(vec![0]), 10).is_err());
    }

    #[test]
    fn finds_the_files_of_mnist_packed_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        write("t10k-images-idx3-ubyte.gz", &gzip(&encode(&[1, 1, 2], &[3, 4])));
        write("t10k-labels-idx1-ubyte", &encode(&[1], &[5]));
        assert_eq!(mnist(&folder, Split::Test).unwrap().labels(), [5]);
        let missing = mnist(&folder, Split::Train).unwrap_err().to_string();
        assert!(missing.contains("train-images-idx3-ubyte"), "{missing}");
    }

    proptest! {
        #[test]
        fn corrupted_files_never_panic(
            mut bytes in Just(encode(&[2, 3, 4], &[9; 24])),
            edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            keep in any::<prop::sample::Index>(),
            packed in any::<bool>(),
        ) {
            if packed {
                bytes = gzip(&bytes);
            }
            for (at, byte) in edits {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(keep.index(bytes.len() + 1));
            if let Ok(idx) = Idx::from_reader(&bytes[..]) {
                prop_assert_eq!(idx.shape.iter().product::<usize>(), idx.values.len());
            }
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut headed = vec![0, 0, UNSIGNED_BYTE];
            headed.extend(&bytes);
            for bytes in [&bytes, &headed] {
                if let Ok(idx) = Idx::from_reader(&bytes[..]) {
                    prop_assert!(idx.values.len() <= bytes.len());
                }
            }
        }
    }
}
