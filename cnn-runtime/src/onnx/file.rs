//! A model's bytes. Weights go into the file a tensor at a time: there is no copy of all of them.

use std::io::{self, ErrorKind, Write};
use std::path::Path;

use cnn_model::onnx::proto::{GraphProto, ModelProto, TensorProto, data_type};
use prost::{Message, encode_length_delimiter, length_delimiter_len};

use super::attribute::whole;
use crate::atomic;
use crate::error::Error;
use crate::weights::Tensor;

/// Keys of fields that hold messages or bytes: their number, and 2 for a length.
const GRAPH: u8 = 7 << 3 | 2;
const INITIALIZER: u8 = 5 << 3 | 2;
const RAW_DATA: u8 = 9 << 3 | 2;
/// Bytes of a message at most.
const LARGEST: usize = i32::MAX as usize;

/// Writes a model, of which `about` is all but the graph, and `graph` the graph without `tensors`, which have these
/// shapes in the file.
pub(super) fn write(
    path: &Path,
    about: &ModelProto,
    graph: &GraphProto,
    tensors: &[(Vec<usize>, Tensor<'_>)],
) -> Result<(), Error> {
    let heads: Vec<Vec<u8>> = tensors.iter().map(|(dims, tensor)| head(dims, tensor).encode_to_vec()).collect();
    let initializers = heads.iter().zip(tensors).map(|(head, (_, tensor))| field(initializer(head, tensor)));
    let len = graph.encoded_len() + initializers.sum::<usize>();
    let whole = about.encoded_len() + field(len);
    atomic::replace(path, |file| {
        if whole > LARGEST {
            let message = format!("a model of {whole} bytes: an ONNX file has at most {LARGEST}");
            return Err(io::Error::new(ErrorKind::InvalidInput, message));
        }
        file.write_all(&about.encode_to_vec())?;
        begin(file, GRAPH, len)?;
        file.write_all(&graph.encode_to_vec())?;
        for (head, (_, tensor)) in heads.iter().zip(tensors) {
            begin(file, INITIALIZER, initializer(head, tensor))?;
            file.write_all(head)?;
            begin(file, RAW_DATA, tensor.bytes())?;
            tensor.write_to(file)?;
        }
        Ok(())
    })
}

/// A tensor without its numbers.
fn head(dims: &[usize], tensor: &Tensor<'_>) -> TensorProto {
    let dims = dims.iter().map(|&size| whole(size)).collect();
    TensorProto { name: tensor.name().to_owned(), dims, data_type: data_type::FLOAT, ..Default::default() }
}

/// Bytes of an initialiser.
fn initializer(head: &[u8], tensor: &Tensor<'_>) -> usize {
    head.len() + field(tensor.bytes())
}

/// Bytes of a field of `len` bytes with its key and its length.
fn field(len: usize) -> usize {
    1 + length_delimiter_len(len) + len
}

/// Begins a field of `len` bytes.
fn begin(file: &mut impl Write, key: u8, len: usize) -> io::Result<()> {
    let mut start = vec![key];
    encode_length_delimiter(len, &mut start)?;
    file.write_all(&start)
}
