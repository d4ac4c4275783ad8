//! The header of NumPy's npy format
//! (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>): a magic, a version, a length, and a
//! Python dictionary with the type, the order and the shape of one array.

use std::io::Read;

use cnn_model::Dtype;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Bytes of a dictionary at most. NumPy reads 10,000 unasked.
const MAX_DICTIONARY: usize = 1 << 16;
/// Headers are padded to multiples of this.
const ALIGN: usize = 64;

/// Types by NumPy's names, of which the first character is the order of bytes.
const DTYPES: [(&str, Dtype); 12] = [
    ("|b1", Dtype::Bool),
    ("|u1", Dtype::U8),
    ("|i1", Dtype::I8),
    ("<u2", Dtype::U16),
    ("<i2", Dtype::I16),
    ("<u4", Dtype::U32),
    ("<i4", Dtype::I32),
    ("<u8", Dtype::U64),
    ("<i8", Dtype::I64),
    ("<f2", Dtype::F16),
    ("<f4", Dtype::F32),
    ("<f8", Dtype::F64),
];

/// What a header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// Whether the first axis varies fastest.
    pub fortran: bool,
    /// Bytes of the header itself.
    pub len: usize,
}

impl Header {
    /// Reads a header from the start of a stream.
    pub fn read(stream: &mut impl Read) -> Result<Header, String> {
        let [.., major, _] =
            array::<8>(stream).filter(|start| start.starts_with(MAGIC)).ok_or("expected an npy array")?;
        let (len, prefix) = match major {
            1 => (array(stream).map(|len| usize::from(u16::from_le_bytes(len))), 10),
            2 | 3 => (array(stream).and_then(|len| usize::try_from(u32::from_le_bytes(len)).ok()), 12),
            _ => return Err(format!("expected an npy array of version 1, 2 or 3, found version {major}")),
        };
        let len = len.filter(|&len| len <= MAX_DICTIONARY).ok_or("expected a header of at most 65536 bytes")?;
        let mut text = String::new();
        match stream.take(len as u64).read_to_string(&mut text) {
            Ok(read) if read == len => {}
            _ => return Err(format!("expected a header of {len} bytes of text")),
        }
        let dtype = field(&text, "descr").and_then(|value| {
            let name = value.strip_prefix(['\'', '"'])?.split(['\'', '"']).next()?;
            DTYPES.iter().find(|(known, _)| *known == name).map(|&(_, dtype)| dtype)
        });
        let dtype = dtype.ok_or("expected a `descr` of little-endian numbers such as '<f4'")?;
        let fortran = field(&text, "fortran_order").and_then(|value| match value {
            _ if value.starts_with("True") => Some(true),
            _ if value.starts_with("False") => Some(false),
            _ => None,
        });
        let fortran = fortran.ok_or("expected a `fortran_order` of True or False")?;
        let shape = field(&text, "shape").and_then(tuple).ok_or("expected a `shape` of whole numbers")?;
        Ok(Header { dtype, shape, fortran, len: prefix + len })
    }

    /// The header of a row-major array.
    pub fn write(dtype: Dtype, shape: &[usize]) -> Vec<u8> {
        let descr = DTYPES.iter().find(|(_, known)| *known == dtype).map_or("", |(name, _)| name);
        let mut sides: String = shape.iter().map(|side| format!("{side}, ")).collect();
        if shape.len() > 1 {
            sides.truncate(sides.len() - 2);
        }
        let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}), }}", sides.trim_end());
        let prefix = MAGIC.len() + 4;
        let len = (prefix + text.len() + 1).next_multiple_of(ALIGN) - prefix;
        text.extend(std::iter::repeat_n(' ', len - 1 - text.len()));
        let len = u16::try_from(len).expect("a network's tensors have few axes");
        [&MAGIC[..], &[1, 0], &len.to_le_bytes(), text.as_bytes(), b"\n"].concat()
    }
}

fn array<const N: usize>(stream: &mut impl Read) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).ok().map(|()| bytes)
}

/// What follows a key of the dictionary.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("'{key}'")).or_else(|| text.split_once(&format!("\"{key}\"")))?;
    Some(rest.trim_start().strip_prefix(':')?.trim_start())
}

/// The numbers of a tuple at the start of a text.
fn tuple(text: &str) -> Option<Vec<usize>> {
    let (inside, _) = text.strip_prefix('(')?.split_once(')')?;
    let mut sides: Vec<_> = inside.split(',').map(str::trim).collect();
    // `()` has none, and behind the last number may stand a comma.
    if sides.last() == Some(&"") {
        sides.pop();
    }
    sides.into_iter().map(|side| side.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(version: u8, text: &str) -> Result<Header, String> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([version, 0]);
        match version {
            1 => bytes.extend((text.len() as u16).to_le_bytes()),
            _ => bytes.extend((text.len() as u32).to_le_bytes()),
        }
        bytes.extend(text.as_bytes());
        Header::read(&mut &bytes[..])
    }

    #[test]
    fn what_is_written_is_read() {
        for shape in [&[][..], &[5], &[2, 3], &[64, 3, 7, 7], &[100_000; 4]] {
            let bytes = Header::write(Dtype::F32, shape);
            assert!(bytes.len().is_multiple_of(64) && bytes.ends_with(b"\n"));
            let expected = Header { dtype: Dtype::F32, shape: shape.to_vec(), fortran: false, len: bytes.len() };
            assert_eq!(Header::read(&mut &bytes[..]).unwrap(), expected);
        }
    }

    #[test]
    fn headers_are_numpys() {
        let text = &Header::write(Dtype::F32, &[3])[10..];
        assert!(text.starts_with(b"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }  "));
        let text = &Header::write(Dtype::F32, &[3, 4])[10..];
        assert!(text.starts_with(b"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }  "));
        let text = "{\"descr\": \"<f8\", \"fortran_order\": True, \"shape\": ( 3,4 ) }";
        let found = header(2, text).unwrap();
        assert_eq!(found, Header { dtype: Dtype::F64, shape: vec![3, 4], fortran: true, len: 12 + text.len() });
    }

    #[test]
    fn other_headers_are_refused_with_what_was_expected() {
        let refusal = |version, text: &str| header(version, text).unwrap_err();
        assert!(Header::read(&mut &b"PK\x03\x04...."[..]).unwrap_err().contains("expected an npy array"));
        assert!(refusal(4, "{}").contains("found version 4"));
        assert!(refusal(1, "{}").contains("expected a `descr`"));
        assert!(refusal(1, "{'descr': '>f4', 'fortran_order': False, 'shape': ()}").contains("little-endian"));
        assert!(refusal(1, "{'descr': '<f4', 'fortran_order': 0, 'shape': ()}").contains("True or False"));
        assert!(refusal(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}").contains("whole numbers"));
        assert!(refusal(2, &" ".repeat(MAX_DICTIONARY + 1)).contains("at most 65536 bytes"));
    }
}
