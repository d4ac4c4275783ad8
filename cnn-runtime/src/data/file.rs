//! Reading files whose headers are not to be trusted.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::error::Error;

/// Bytes to read, unpacked if they are gzipped, and where they came from.
pub(super) struct Source<'a> {
    reader: Box<dyn Read + 'a>,
    path: Option<PathBuf>,
}

impl<'a> Source<'a> {
    /// A file.
    pub fn open(path: &Path) -> Result<Source<'static>, Error> {
        let io = |error| Error::Io { path: Some(path.to_owned()), error };
        let file = BufReader::new(File::open(path).map_err(io)?);
        Source::new(file, Some(path.to_owned()))
    }

    /// Any stream.
    pub fn from_reader(reader: impl Read + 'a) -> Result<Self, Error> {
        Source::new(reader, None)
    }

    fn new(mut reader: impl Read + 'a, path: Option<PathBuf>) -> Result<Self, Error> {
        let mut start = Vec::with_capacity(2);
        if let Err(error) = reader.by_ref().take(2).read_to_end(&mut start) {
            return Err(Error::Io { path, error });
        }
        let gzipped = start == [0x1f, 0x8b];
        let whole = Cursor::new(start).chain(reader);
        let reader: Box<dyn Read> = if gzipped { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
        Ok(Source { reader, path })
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        match self.reader.read_exact(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.invalid(format!("expected {what}, found the end of the file")))
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// The rest, which has to be `len` bytes long. Memory grows with what the stream yields, not with `len`.
    pub fn rest(&mut self, len: usize, what: &str) -> Result<Vec<u8>, Error> {
        let bytes = self.up_to(len)?;
        if bytes.len() < len {
            return Err(self.invalid(format!("expected {len} bytes of {what}, found {}", bytes.len())));
        }
        if bytes.len() > len {
            return Err(self.invalid(format!("expected {len} bytes of {what}, found more")));
        }
        Ok(bytes)
    }

    /// The rest, or the first `len + 1` bytes of it.
    pub fn up_to(&mut self, len: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        match self.reader.by_ref().take((len as u64).saturating_add(1)).read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// The error for contents that are not what they should be.
    pub fn invalid(&self, reason: String) -> Error {
        Error::Format { path: self.path.clone(), reason }
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::Io { path: self.path.clone(), error }
    }
}

/// The file `name` in `folder`, or the same with `.gz`.
pub(super) fn find(folder: &Path, name: &str) -> PathBuf {
    let plain = folder.join(name);
    let gzipped = folder.join(format!("{name}.gz"));
    if !plain.exists() && gzipped.exists() { gzipped } else { plain }
}

/// Whether there is a file `name` in `folder`, gzipped or not.
pub(super) fn exists(folder: &Path, name: &str) -> bool {
    find(folder, name).exists()
}
