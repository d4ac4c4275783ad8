//! NumPy's npz format: a zip archive with an npy array per member, as `numpy.savez` and `numpy.savez_compressed` write
//! it.

mod header;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Write};
use std::ops::Range;
use std::path::Path;

use cnn_model::stranger::Shown;
use flate2::Crc;
use flate2::read::DeflateDecoder;
use ndarray::{ArrayView, IxDyn, ShapeBuilder};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::file::{Contents, Entry, Place};
use super::tensor::Tensor;
use super::values;
use crate::atomic;
use crate::error::Error;
use header::Header;

/// How the members of an archive end that are arrays.
const SUFFIX: &str = ".npy";

/// An array in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Where its bytes are in the file.
    range: Range<usize>,
    is_deflated: bool,
    /// Bytes of its header.
    header: usize,
    /// Whether the first axis varies fastest.
    fortran: bool,
    crc: u32,
}

/// Reads the directory of an archive and the headers of its arrays.
pub(super) fn read(bytes: &[u8]) -> Result<Contents, String> {
    let broken = |error| format!("expected an npz file: {error}");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    if archive.has_duplicate_names() {
        return Err("expected an npz file: it has two members of one name".into());
    }
    let mut tensors = Vec::new();
    for index in 0..archive.len() {
        let file = archive.by_index_raw(index).map_err(broken)?;
        let name = file.name().map_err(broken)?.into_owned();
        let Some(tensor) = name.strip_suffix(SUFFIX) else {
            return Err(format!("expected members that end in {SUFFIX}, found {}", Shown(&name)));
        };
        let start = file.data_start().and_then(|start| usize::try_from(start).ok());
        let end = start.and_then(|start| start.checked_add(usize::try_from(file.compressed_size()).ok()?));
        let range = start.zip(end).map(|(start, end)| start..end).filter(|range| bytes.get(range.clone()).is_some());
        let range = range.ok_or_else(|| format!("{}: expected more bytes", Shown(&name)))?;
        let is_deflated = match file.compression() {
            _ if file.encrypted() => return Err(format!("{} is encrypted", Shown(&name))),
            CompressionMethod::Stored => false,
            CompressionMethod::Deflated => true,
            other => return Err(format!("{}: expected a member stored or deflated, found {other}", Shown(&name))),
        };
        let mut member = Member { range, is_deflated, header: 0, fortran: false, crc: file.crc32() };
        let header = Header::read(&mut member.open(bytes)).map_err(|error| format!("{}: {error}", Shown(&name)))?;
        (member.header, member.fortran) = (header.len, header.fortran);
        let len = header.dtype.size(&header.shape).and_then(|len| len.checked_add(header.len));
        if len.map(|len| len as u64) != Some(file.size()) {
            return Err(format!("{}: the array is not as long as its header says", Shown(&name)));
        }
        let (name, place) = (tensor.to_owned(), Place::Member(member));
        tensors.push(Entry { name, dtype: header.dtype, shape: header.shape, place });
    }
    Ok(Contents { tensors, metadata: BTreeMap::new() })
}

impl Member {
    /// The member's bytes, unpacked as they are read.
    fn open<'b>(&self, bytes: &'b [u8]) -> Box<dyn Read + 'b> {
        let packed = &bytes[self.range.clone()];
        if self.is_deflated { Box::new(DeflateDecoder::new(packed)) } else { Box::new(packed) }
    }

    /// The numbers behind the header, `len` bytes of them. Memory grows with what there is, not with `len`.
    fn numbers<'b>(&self, bytes: &'b [u8], len: usize) -> io::Result<Cow<'b, [u8]>> {
        let total = self.header.saturating_add(len);
        let all = if self.is_deflated {
            let mut all = Vec::new();
            self.open(bytes).take((total as u64).saturating_add(1)).read_to_end(&mut all)?;
            Cow::Owned(all)
        } else {
            Cow::Borrowed(&bytes[self.range.clone()])
        };
        if all.len() != total {
            return Err(io::Error::other("it is not as long as its header says"));
        }
        let mut crc = Crc::new();
        crc.update(&all);
        if crc.sum() != self.crc {
            return Err(io::Error::other("its checksum is wrong"));
        }
        Ok(match all {
            Cow::Borrowed(all) => Cow::Borrowed(&all[self.header..]),
            Cow::Owned(mut all) => Cow::Owned(all.split_off(self.header)),
        })
    }
}

/// The values of a tensor in row-major order.
pub(super) fn floats<'b>(bytes: &'b [u8], member: &Member, tensor: &Entry) -> Result<Cow<'b, [f32]>, String> {
    let len = tensor.dtype.size(&tensor.shape).ok_or("the size was checked before")?;
    let numbers = member.numbers(bytes, len).map_err(|error| format!("{}: {error}", Shown(&tensor.name)))?;
    let values = match &numbers {
        Cow::Borrowed(numbers) => values::floats(tensor.dtype, numbers),
        Cow::Owned(numbers) => Cow::Owned(values::floats(tensor.dtype, numbers).into_owned()),
    };
    if !member.fortran {
        return Ok(values);
    }
    let turned = ArrayView::from_shape(IxDyn(&tensor.shape).f(), &values).map_err(|error| error.to_string())?;
    Ok(Cow::Owned(turned.iter().copied().collect()))
}

/// Writes an archive of arrays in one piece: see [`atomic::replace`].
pub(super) fn write(path: &Path, tensors: &[Tensor<'_>]) -> Result<(), Error> {
    // A fixed time, so that equal networks make equal files.
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let options = options.last_modified_time(DateTime::default());
    atomic::replace(path, |file| {
        let mut archive = ZipWriter::new(file);
        for tensor in tensors {
            let header = Header::write(tensor.dtype(), tensor.shape());
            let is_large = (header.len() + tensor.bytes()) as u64 > u64::from(u32::MAX);
            archive.start_file(format!("{}{SUFFIX}", tensor.name()), options.large_file(is_large))?;
            archive.write_all(&header)?;
            tensor.write_to(&mut archive)?;
        }
        archive.finish()?;
        Ok(())
    })
}

#[cfg(test)]
mod tests;
