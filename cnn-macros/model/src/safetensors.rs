//! The safetensors format: the length of a header (8 bytes, little-endian), the header in JSON, then all numbers
//! (<https://huggingface.co/docs/safetensors>).
//!
//! The header names the place of each tensor; together they cover the rest of the file without gap or overlap. It is
//! read and written here rather than by the format's own crate, which the runtime's tests hold it against, because of
//! two properties: a header is copied out of a mapped file before it is looked at, and a written one depends on nothing
//! but its contents, so that equal networks make equal files.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::Range;

use serde_json::{Map, Value, json};

use crate::dtype::Dtype;
use crate::stranger::Shown;

/// Bytes of the number that a file begins with.
const PREFIX: usize = 8;
/// Bytes of a header at most, as in the format's own crate.
const MAX_HEADER: usize = 100_000_000;
/// What the header calls its part about the file itself.
const METADATA: &str = "__metadata__";

/// Whether a file that begins so is an ONNX model rather than of this format. The version of that format, a number of one
/// byte, begins a model; a header of just that many bytes has its brace at the end of its length.
pub fn is_onnx(start: &[u8]) -> bool {
    matches!(start, [8, 1..=u8::MAX, ..]) && start.get(PREFIX) != Some(&b'{')
}

/// What the header of a file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The tensors in the order of their numbers.
    pub tensors: Vec<Entry>,
    /// What the file says beside them.
    pub metadata: BTreeMap<String, String>,
}

/// One tensor of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// The type of its numbers.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Where its bytes are in the file.
    pub range: Range<usize>,
}

/// Reads the header of a file of `len` bytes, no byte behind it, and checks it against that length.
///
/// # Errors
/// What was expected and what was found, if the file is not what it has to be or cannot be read.
pub fn read(file: impl Read, len: usize) -> Result<Contents, String> {
    let header = header(file, len)?;
    let start = PREFIX + header.len();
    let Ok(Value::Object(mut header)) = serde_json::from_slice(&header) else {
        return Err("expected a safetensors file, whose header is a JSON object, found something else".into());
    };
    let metadata = match header.remove(METADATA) {
        None | Some(Value::Null) => BTreeMap::new(),
        Some(metadata) => serde_json::from_value(metadata).map_err(|_| format!("expected texts in {METADATA}"))?,
    };
    let mut tensors = header.iter().map(|(name, value)| entry(name, value)).collect::<Result<Vec<_>, _>>()?;
    tensors.sort_by_key(|tensor| (tensor.range.start, tensor.range.end));
    cover(&tensors, len - start)?;
    for tensor in &mut tensors {
        tensor.range = start + tensor.range.start..start + tensor.range.end;
    }
    Ok(Contents { tensors, metadata })
}

/// A copy of the header.
fn header(mut file: impl Read, len: usize) -> Result<Vec<u8>, String> {
    let unreadable = |error: io::Error| format!("expected a safetensors file of {len} bytes: {error}");
    if len < PREFIX {
        return Err(format!("expected a safetensors file, found {len} bytes"));
    }
    let mut claim = [0; PREFIX];
    file.read_exact(&mut claim).map_err(unreadable)?;
    let claim = u64::from_le_bytes(claim);
    let Some(bytes) = usize::try_from(claim).ok().filter(|&bytes| bytes <= MAX_HEADER.min(len - PREFIX)) else {
        return Err(format!("expected a safetensors file, found {len} bytes, and {claim} claimed for a header"));
    };
    let mut header = vec![0; bytes];
    file.read_exact(&mut header).map_err(unreadable)?;
    Ok(header)
}

/// Checks that tensors cover the `data` bytes behind the header, one after the other.
fn cover(tensors: &[Entry], data: usize) -> Result<(), String> {
    let mut end = 0;
    for Entry { name, range, .. } in tensors {
        if range.start != end || range.end > data {
            let (name, Range { start, end: stop }) = (Shown(name), range);
            return Err(format!("expected {name} at bytes {end}.. of {data}, found it at {start}..{stop}"));
        }
        end = range.end;
    }
    if end != data {
        return Err(format!("expected {end} bytes of numbers, as the header says, found {data}"));
    }
    Ok(())
}

/// A tensor of the header; its range begins with the first number of all.
fn entry(name: &str, value: &Value) -> Result<Entry, String> {
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
    if dtype.size(&shape) != Some(end - start) {
        return Err(wrong(&format!("a `shape` that {dtype} take {} bytes for", end - start), &value["shape"]));
    }
    Ok(Entry { name: name.to_owned(), dtype, shape, range: *start..*end })
}

fn numbers(value: &Value) -> Option<Vec<usize>> {
    value.as_array()?.iter().map(|number| number.as_u64().and_then(|number| usize::try_from(number).ok())).collect()
}

/// What a file begins with whose numbers are those of `tensors`, one after the other: the length of its header, and the
/// header with spaces behind it so that the numbers begin at a multiple of 8.
///
/// # Errors
/// If two tensors have one name, or the header is longer than [`read`] takes.
pub fn begin<'a>(
    metadata: &BTreeMap<String, String>,
    tensors: impl IntoIterator<Item = (&'a str, Dtype, &'a [usize])>,
) -> io::Result<Vec<u8>> {
    let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
    let mut header = Map::new();
    if !metadata.is_empty() {
        header.insert(METADATA.into(), json!(metadata));
    }
    let mut start = 0;
    for (name, dtype, shape) in tensors {
        let end = dtype.size(shape).and_then(|len| len.checked_add(start));
        let end = end.ok_or_else(|| invalid(format!("too many bytes up to tensor `{name}`")))?;
        let entry = json!({ "dtype": dtype.name(), "shape": shape, "data_offsets": [start, end] });
        if header.insert(name.into(), entry).is_some() {
            return Err(invalid(format!("two tensors `{name}`")));
        }
        start = end;
    }
    framed(serde_json::to_vec(&header)?)
}

/// A header with its length before it and spaces behind it.
fn framed(mut header: Vec<u8>) -> io::Result<Vec<u8>> {
    header.resize(header.len().next_multiple_of(PREFIX), b' ');
    if header.len() > MAX_HEADER {
        let what =
            format!("expected a header of at most {MAX_HEADER} bytes, found {}: it cannot be read", header.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    Ok([&(header.len() as u64).to_le_bytes()[..], &header].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let longest = framed(vec![b' '; MAX_HEADER]).unwrap();
        assert_eq!(header(&longest[..], longest.len()).unwrap().len(), MAX_HEADER);
        let error = framed(vec![b' '; MAX_HEADER + 1]).unwrap_err().to_string();
        assert!(error.starts_with("expected a header of at most 100000000 bytes, found 100000008"), "{error}");
    }
}
