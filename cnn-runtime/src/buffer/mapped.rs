//! Files as memory.

#![allow(unsafe_code)] // a file in memory is the operating system's promise

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

/// A file's bytes, read by the operating system page by page when they are looked at.
///
/// Nobody may change the file in place or cut it short while it is mapped; see [`Mapped::open`].
pub(crate) struct Mapped(Mmap);

impl Mapped {
    /// Maps a regular file; its length is the one that it has now. Pipes and devices are refused: they have none.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "expected a regular file"));
        }
        // SAFETY: a mapping is sound to read as `&[u8]` while nobody writes to the file's pages. This crate never does:
        // its own files are written under another name and renamed, which leaves a mapped file as it is. Another
        // program could still write in place. Neither this crate nor any other that maps files can prevent that, and
        // what it can do is kept small. Everything that sizes and bounds follow from is copied out of the mapping
        // first and checked there; the rest is only ever read as plain numbers, for which any bits are valid, so that
        // changed bytes give changed weights. A file that is cut short ends the program by a signal (SIGBUS) when a
        // lost page is read, and no memory that is not the file's is touched.
        unsafe { Mmap::map(&file) }.map(Mapped)
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_the_files_bytes_also_of_an_empty_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bytes");
        for bytes in [&b"some bytes"[..], b""] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(&Mapped::open(&path).unwrap()[..], bytes);
        }
    }

    #[test]
    fn a_replaced_file_stays_what_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let [path, other] = ["old", "new"].map(|name| folder.path().join(name));
        std::fs::write(&path, "old").unwrap();
        let mapped = Mapped::open(&path).unwrap();
        std::fs::write(&other, "new, and longer").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(&mapped[..], b"old");
    }

    #[test]
    fn what_is_no_file_is_refused() {
        assert!(Mapped::open("/no/such/file".as_ref()).is_err());
        assert!(Mapped::open(&std::env::temp_dir()).is_err());
    }
}
