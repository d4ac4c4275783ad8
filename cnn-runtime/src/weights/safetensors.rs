//! The safetensors format: the length of a header (8 bytes, little-endian), the header in JSON, then all numbers
//! (<https://huggingface.co/docs/safetensors>).
//!
//! The header names the place of each tensor; together they cover the rest of the file without gap or overlap. It is
//! read and written here rather than by the format's own crate, which the tests hold it against, because of two
//! properties: a header is copied out of the mapped file before it is looked at, and a written one depends on nothing but
//! its contents, so that equal networks make equal files.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::atomic;
use super::dtype::Dtype;
use super::file::{Contents, Entry, Place, size};
use super::report::Shown;
use super::tensor::Tensor;
use crate::error::Error;

/// Bytes of the number that a file begins with.
const PREFIX: usize = 8;
/// Bytes of a header at most, as in the format's own crate.
const MAX_HEADER: usize = 100_000_000;
/// What the header calls its part about the file itself.
const METADATA: &str = "__metadata__";

/// Reads the header of a file and checks it against the file's length.
pub(super) fn read(bytes: &[u8]) -> Result<Contents, String> {
    let (header, start) = header(bytes)?;
    let Ok(Value::Object(mut header)) = serde_json::from_slice(&header) else {
        return Err("expected a safetensors file, whose header is a JSON object, found something else".into());
    };
    let metadata = match header.remove(METADATA) {
        None | Some(Value::Null) => BTreeMap::new(),
        Some(metadata) => serde_json::from_value(metadata).map_err(|_| format!("expected texts in {METADATA}"))?,
    };
    let mut tensors = header.iter().map(|(name, value)| tensor(name, value)).collect::<Result<Vec<_>, _>>()?;
    tensors.sort_by_key(|(_, range)| (range.start, range.end));
    let data = bytes.len() - start;
    let mut end = 0;
    for (tensor, range) in &tensors {
        if range.start != end || range.end > data {
            let name = Shown(&tensor.name);
            return Err(format!(
                "expected {name} at bytes {end}.. of {data}, found it at {}..{}",
                range.start, range.end
            ));
        }
        end = range.end;
    }
    if end != data {
        return Err(format!("expected {end} bytes of numbers, as the header says, found {data}"));
    }
    let place = |(tensor, range): (Entry, Range<usize>)| Entry {
        place: Place::Plain(start + range.start..start + range.end),
        ..tensor
    };
    Ok(Contents { tensors: tensors.into_iter().map(place).collect(), metadata })
}

/// A copy of the header, and where the numbers begin.
fn header(bytes: &[u8]) -> Result<(Vec<u8>, usize), String> {
    let Some((len, rest)) = bytes.split_first_chunk::<PREFIX>() else {
        return Err(format!("expected a safetensors file, found {} bytes", bytes.len()));
    };
    let len = u64::from_le_bytes(*len);
    match usize::try_from(len).ok().filter(|&len| len <= MAX_HEADER).and_then(|len| rest.get(..len)) {
        Some(header) => Ok((header.to_vec(), PREFIX + header.len())),
        None => {
            Err(format!("expected a safetensors file, found {} bytes, and {len} claimed for a header", bytes.len()))
        }
    }
}

/// A tensor of the header, and its place among the numbers.
fn tensor(name: &str, value: &Value) -> Result<(Entry, Range<usize>), String> {
    let wrong = |what: &str, found: &Value| {
        let found: String = found.to_string().chars().take(40).collect();
        format!("{}: expected {what}, found {}", Shown(name), Shown(&found))
    };
    let dtype = value["dtype"].as_str().and_then(Dtype::named);
    let dtype = dtype.ok_or_else(|| wrong("a `dtype` of whole bytes such as F32", &value["dtype"]))?;
    let shape = numbers(&value["shape"]).ok_or_else(|| wrong("a `shape` of whole numbers", &value["shape"]))?;
    let offsets = numbers(&value["data_offsets"]);
    let Some([start, end]) = offsets.as_deref().filter(|offsets| offsets.is_sorted()) else {
        return Err(wrong("`data_offsets` of two ascending numbers", &value["data_offsets"]));
    };
    if size(&shape, dtype) != Some(end - start) {
        return Err(wrong(&format!("a `shape` that {dtype} take {} bytes for", end - start), &value["shape"]));
    }
    let place = Place::Plain(0..0);
    Ok((Entry { name: name.to_owned(), dtype, shape, place }, *start..*end))
}

fn numbers(value: &Value) -> Option<Vec<usize>> {
    value.as_array()?.iter().map(|number| number.as_u64().and_then(|number| usize::try_from(number).ok())).collect()
}

/// Writes a file in one piece: see [`atomic::replace`].
///
/// # Errors
/// [`Error::Io`] if it cannot be written, or if two tensors have one name.
pub(crate) fn write(path: &Path, metadata: &BTreeMap<String, String>, tensors: &[Tensor<'_>]) -> Result<(), Error> {
    // Larger types first: then every number is aligned. Their order is theirs otherwise.
    let mut tensors: Vec<_> = tensors.iter().collect();
    tensors.sort_by_key(|tensor| std::cmp::Reverse(tensor.dtype().bytes()));
    atomic::replace(path, |file| {
        let header = describe(metadata, &tensors)?;
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        tensors.iter().try_for_each(|tensor| tensor.write_to(file))
    })
}

/// The header, with spaces behind it so that the numbers begin at a multiple of 8.
fn describe(metadata: &BTreeMap<String, String>, tensors: &[&Tensor<'_>]) -> io::Result<Vec<u8>> {
    let mut header = Map::new();
    if !metadata.is_empty() {
        header.insert(METADATA.into(), json!(metadata));
    }
    let mut start = 0;
    for tensor in tensors {
        let end = start + tensor.bytes();
        let entry = json!({ "dtype": tensor.dtype().name(), "shape": tensor.shape(), "data_offsets": [start, end] });
        if header.insert(tensor.name().into(), entry).is_some() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("two tensors `{}`", tensor.name())));
        }
        start = end;
    }
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(PREFIX), b' ');
    Ok(header)
}

#[cfg(test)]
mod tests;
