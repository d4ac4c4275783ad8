//! The binary layout of CIFAR-100, gzipped or not: records of two label bytes, coarse and fine, and 3 planes of 32x32
//! bytes, red, green and blue (<https://www.cs.toronto.edu/~kriz/cifar.html>).

use std::io::Read;
use std::path::Path;

use super::cifar::{Layout, with_class_names};
use super::{Images, Split, file};
use crate::error::Error;

pub use super::cifar::SHAPE;

/// Which of its two labels an image is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Labels {
    /// One of 100 classes.
    #[default]
    Fine,
    /// One of 20 groups of 5 classes.
    Coarse,
}

impl Labels {
    /// Number of classes.
    pub const fn classes(self) -> usize {
        match self {
            Labels::Fine => 100,
            Labels::Coarse => 20,
        }
    }

    fn layout(self) -> Layout {
        let label = match self {
            Labels::Coarse => 0,
            Labels::Fine => 1,
        };
        Layout { labels: 2, label, classes: self.classes() }
    }

    /// The file that names the classes.
    fn names(self) -> &'static str {
        match self {
            Labels::Fine => "fine_label_names.txt",
            Labels::Coarse => "coarse_label_names.txt",
        }
    }
}

/// Reads files one after the other, as if they were one.
///
/// # Errors
/// [`Error::Io`] if a file cannot be read or unpacked, [`Error::Format`] if it is empty, too large or not a whole number
/// of records, [`Error::LabelOutOfRange`] for a label that is not below the number of classes.
pub fn files(paths: &[impl AsRef<Path>], labels: Labels) -> Result<Images, Error> {
    labels.layout().files(paths)
}

/// Reads a stream.
///
/// # Errors
/// As [`files`].
pub fn from_reader(reader: impl Read, labels: Labels) -> Result<Images, Error> {
    labels.layout().stream(reader)
}

/// Reads the training or test part from a folder: `train.bin` or `test.bin`, with or without `.gz`. With the names of
/// the classes if `fine_label_names.txt` or `coarse_label_names.txt` is there.
///
/// # Errors
/// As [`files`].
pub fn folder(folder: impl AsRef<Path>, split: Split, labels: Labels) -> Result<Images, Error> {
    let folder = folder.as_ref();
    let images = files(&[file::find(folder, split.pick("train.bin", "test.bin"))], labels)?;
    with_class_names(images, &folder.join(labels.names()))
}

#[cfg(test)]
mod tests {
    use super::super::{Dataset, Draw};
    use super::*;

    fn record(coarse: u8, fine: u8, red: u8) -> Vec<u8> {
        let mut bytes = vec![coarse, fine];
        bytes.extend([red; 1024]);
        bytes.extend([0; 2048]);
        bytes
    }

    #[test]
    fn either_label_can_be_had() {
        let bytes = [record(3, 99, 51), record(19, 0, 102)].concat();
        let [fine, coarse] = [Labels::Fine, Labels::Coarse].map(|labels| from_reader(&bytes[..], labels).unwrap());
        assert_eq!((fine.classes(), fine.labels()), (100, &[99, 0][..]));
        assert_eq!((coarse.classes(), coarse.labels()), (20, &[3, 19][..]));
        let mut image = vec![f32::NAN; 3072];
        assert_eq!(fine.read(Draw::of(1), &mut image).unwrap(), 0);
        assert_eq!((image[0], image[1023], image[1024]), (0.4, 0.4, 0.0));
    }

    #[test]
    fn says_what_is_wrong() {
        let message = |bytes: &[u8], labels| from_reader(bytes, labels).unwrap_err().to_string();
        assert!(message(&[0; 3073], Labels::Fine).contains("records of 3074 bytes, found 3073 bytes"));
        assert_eq!(
            message(&record(20, 99, 0), Labels::Coarse),
            "label 20 of sample 0 is out of range: expected 0 to 19"
        );
        assert_eq!(
            message(&record(0, 100, 0), Labels::Fine),
            "label 100 of sample 0 is out of range: expected 0 to 99"
        );
    }

    #[test]
    fn a_folder_has_two_parts_and_names() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(root.path().join(name), bytes).unwrap();
        write("train.bin", &record(1, 2, 3));
        write("test.bin", &record(4, 5, 6));
        let names: String = (0..20).map(|n| format!("group {n}\n")).collect();
        write("coarse_label_names.txt", names.as_bytes());
        assert_eq!(folder(&root, Split::Train, Labels::Fine).unwrap().labels(), [2]);
        let test = folder(&root, Split::Test, Labels::Coarse).unwrap();
        assert_eq!((test.labels(), test.class_names()[4].as_str()), (&[4][..], "group 4"));
        std::fs::remove_file(root.path().join("test.bin")).unwrap();
        let error = folder(&root, Split::Test, Labels::Fine).unwrap_err().to_string();
        assert!(error.contains("test.bin"), "{error}");
    }
}
