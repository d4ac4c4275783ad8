//! Tensors on their way into a file.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};

use cnn_model::Dtype;

use crate::info::TensorInfo;
use crate::layout::Layout;

/// A named tensor to be written.
pub struct Tensor<'a> {
    name: Cow<'a, str>,
    shape: Cow<'a, [usize]>,
    values: Values<'a>,
}

enum Values<'a> {
    Floats(&'a [f32]),
    /// As a network holds them; in row-major order only while they are written.
    Stored(&'static TensorInfo, &'a [f32]),
    Integers(&'a [u64]),
}

/// Without the values.
impl fmt::Debug for Tensor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Tensor");
        shown.field("name", &self.name).field("shape", &self.shape).field("dtype", &self.dtype());
        shown.finish_non_exhaustive()
    }
}

impl<'a> Tensor<'a> {
    /// A row-major array.
    ///
    /// # Panics
    /// If there are not as many values as the shape says.
    pub fn floats(name: impl Into<Cow<'a, str>>, shape: impl Into<Vec<usize>>, values: &'a [f32]) -> Self {
        let (name, shape): (_, Vec<_>) = (name.into(), shape.into());
        assert_eq!(shape.iter().product::<usize>(), values.len(), "values of `{name}`");
        Tensor { name, shape: shape.into(), values: Values::Floats(values) }
    }

    /// A tensor of a network in the layout of its buffer, of which `values` are its part.
    pub(crate) fn stored(name: impl Into<Cow<'a, str>>, tensor: &'static TensorInfo, values: &'a [f32]) -> Self {
        assert_eq!(tensor.len(), values.len(), "values of `{}`", tensor.name);
        Tensor { name: name.into(), shape: tensor.shape.into(), values: Values::Stored(tensor, values) }
    }

    /// A list of whole numbers.
    pub fn integers(name: impl Into<Cow<'a, str>>, values: &'a [u64]) -> Self {
        Tensor { name: name.into(), shape: vec![values.len()].into(), values: Values::Integers(values) }
    }

    /// The name it gets in the file.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(super) fn dtype(&self) -> Dtype {
        match self.values {
            Values::Floats(_) | Values::Stored(..) => Dtype::F32,
            Values::Integers(_) => Dtype::U64,
        }
    }

    /// Bytes that it takes in a file.
    #[cfg(any(feature = "npz", feature = "onnx"))]
    pub(crate) fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype().bytes()
    }

    /// Writes the values in row-major order, little-endian.
    pub(crate) fn write_to(&self, file: &mut impl Write) -> io::Result<()> {
        match self.values {
            Values::Floats(values) => write_floats(file, values),
            Values::Stored(tensor, values) if tensor.layout == Layout::Plain => write_floats(file, values),
            Values::Stored(tensor, values) => {
                let mut plain = vec![0.0; values.len()];
                tensor.layout.unpack(tensor.rows(), values, &mut plain);
                write_floats(file, &plain)
            }
            Values::Integers(values) => values.iter().try_for_each(|value| file.write_all(&value.to_le_bytes())),
        }
    }
}

fn write_floats(file: &mut impl Write, values: &[f32]) -> io::Result<()> {
    if cfg!(target_endian = "little") {
        file.write_all(bytemuck::cast_slice(values))
    } else {
        values.iter().try_for_each(|value| file.write_all(&value.to_le_bytes()))
    }
}
