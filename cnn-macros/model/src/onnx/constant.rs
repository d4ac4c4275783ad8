//! Constant tensors: weights, shapes, and what is computed from them before the network runs.

use std::sync::Arc;

use super::error::sizes;
use super::file::{Folder, Stored};
use super::proto::{TensorProto, data_type};
use crate::Dtype;
use crate::stranger::Shown;

/// A tensor of at most this many elements can be made up by a model, without bytes of its own in the file.
pub(super) const MOST_MADE_UP: usize = 1 << 22;

/// Axes of a value at most. Models of images have five; what is done for each element is done for each axis.
const MOST_AXES: usize = 16;

/// A tensor whose value is known.
#[derive(Clone, Debug)]
pub(super) struct Constant {
    /// Sizes.
    pub dims: Vec<usize>,
    /// The values, in row-major order.
    pub elements: Elements,
}

/// A constant's values.
#[derive(Clone, Debug)]
pub(super) enum Elements {
    /// Numbers that stand in a file and have not been looked at.
    Stored(Dtype, Stored),
    /// Numbers.
    Floats(Arc<[f32]>),
    /// Whole numbers: shapes, axes and flags.
    Ints(Arc<[Int]>),
}

/// A whole number of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Int {
    /// A number.
    Known(i64),
    /// The number of samples, which is not known.
    Batch,
}

impl Constant {
    /// Whole numbers in a row.
    pub fn ints(ints: Vec<Int>) -> Self {
        Constant { dims: vec![ints.len()], elements: Elements::Ints(ints.into()) }
    }

    /// Numbers of a shape. Precondition: there are as many as the shape says.
    pub fn floats(dims: Vec<usize>, floats: Vec<f32>) -> Self {
        Constant { dims, elements: Elements::Floats(floats.into()) }
    }

    /// A tensor of the file.
    pub fn read(tensor: &TensorProto, folder: &Folder) -> Result<Self, String> {
        check_axes(tensor.dims.len())?;
        let dims = tensor.dims.iter().map(|&size| usize::try_from(size)).collect::<Result<Vec<_>, _>>();
        let dims = dims.map_err(|_| format!("it has the impossible shape {}", sizes(&tensor.dims)))?;
        let len = len(&dims).ok_or_else(|| format!("its shape {} is too large", sizes(&dims)))?;
        let kind = match tensor.data_type {
            data_type::FLOAT => Dtype::F32,
            data_type::DOUBLE => Dtype::F64,
            data_type::FLOAT16 => Dtype::F16,
            data_type::BFLOAT16 => Dtype::Bf16,
            data_type::INT64 => Dtype::I64,
            data_type::INT32 => Dtype::I32,
            data_type::BOOL => Dtype::Bool,
            other => return Err(format!("its elements are of type {other}, which is not supported")),
        };
        let elements = match stored(tensor, folder, len * kind.bytes())? {
            Some(stored) => Elements::Stored(kind, stored),
            None if kind.is_float() => floats(tensor, kind, len)?,
            None => ints(tensor, kind, len)?,
        };
        Ok(Constant { dims, elements })
    }

    /// Elements.
    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// Whether the values are numbers with fractions.
    pub fn is_float(&self) -> bool {
        match &self.elements {
            Elements::Stored(kind, _) => kind.is_float(),
            Elements::Floats(_) => true,
            Elements::Ints(_) => false,
        }
    }

    /// The same, whose values are sizes, axes or what there is of each axis: an error if they are too many to be that.
    pub fn few(&self) -> Result<&Self, String> {
        // Padding has two numbers for each axis.
        const MOST: usize = 2 * MOST_AXES;
        match self.len() {
            0..=MOST => Ok(self),
            found => Err(format!("{found} numbers stand where at most {MOST} can, for axes or for their sizes")),
        }
    }

    /// The values as numbers.
    pub fn to_floats(&self) -> Result<Arc<[f32]>, String> {
        match &self.elements {
            Elements::Floats(floats) => Ok(floats.clone()),
            Elements::Stored(kind, stored) if kind.is_float() => Ok(kind.floats(&stored.read()?).into()),
            _ => Ok(self.to_known()?.into_iter().map(|int| int as f32).collect()),
        }
    }

    /// The values as whole numbers.
    pub fn to_ints(&self) -> Result<Arc<[Int]>, String> {
        match &self.elements {
            Elements::Ints(ints) => Ok(ints.clone()),
            Elements::Stored(kind, stored) if !kind.is_float() => Ok(whole(*kind, &stored.read()?)),
            _ => Err("whole numbers are needed, and these have fractions".into()),
        }
    }

    /// The values as whole numbers that do not depend on the number of samples.
    pub fn to_known(&self) -> Result<Vec<i64>, String> {
        let known = self.to_ints()?.iter().map(|int| int.known()).collect::<Option<Vec<_>>>();
        known.ok_or_else(|| DEPENDS_ON_BATCH.into())
    }

    /// The value, if it is a single number.
    pub fn single(&self) -> Result<Option<f32>, String> {
        if self.len() == 1 { Ok(self.to_floats()?.first().copied()) } else { Ok(None) }
    }
}

const DEPENDS_ON_BATCH: &str = "it depends on the number of samples, which is not known";

impl Int {
    /// The number, where it is known.
    pub fn known(self) -> Option<i64> {
        match self {
            Int::Known(number) => Some(number),
            Int::Batch => None,
        }
    }
}

/// Refuses a value of too many axes.
pub(super) fn check_axes(axes: usize) -> Result<(), String> {
    if axes <= MOST_AXES {
        Ok(())
    } else {
        Err(format!("its shape has {axes} axes: at most {MOST_AXES} can be imported"))
    }
}

/// The product of sizes, if it and four bytes an element can be counted.
pub(super) fn len(dims: &[usize]) -> Option<usize> {
    const MOST: usize = 1 << 40;
    // A zero must not hide a product that overflows on the way.
    let mut len: usize = 1;
    for &size in dims {
        len = len.checked_mul(size.max(1)).filter(|&len| len <= MOST)?;
    }
    Some(if dims.contains(&0) { 0 } else { len })
}

fn wrong_count(found: usize, what: &str, tensor: &TensorProto) -> String {
    format!("its shape {} does not agree with its {found} {what}", sizes(&tensor.dims))
}

/// Where a tensor's bytes stand, if they do not stand in a field of numbers.
fn stored(tensor: &TensorProto, folder: &Folder, bytes: usize) -> Result<Option<Stored>, String> {
    match (&tensor.raw_data, tensor.data_location) {
        (_, 1) => folder.find(tensor, bytes).map(Some),
        (_, 2..) | (_, ..0) => Err("its data stand in an unknown place".into()),
        (Some(raw), 0) if raw.len() == bytes => Ok(Some(Stored::Here(raw.clone()))),
        (Some(raw), 0) => Err(wrong_count(raw.len(), "bytes", tensor)),
        (None, 0) => Ok(None),
    }
}

/// Little-endian whole numbers.
fn whole(kind: Dtype, bytes: &[u8]) -> Arc<[Int]> {
    match kind {
        Dtype::I64 => bytes.as_chunks().0.iter().map(|chunk| Int::Known(i64::from_le_bytes(*chunk))).collect(),
        Dtype::I32 => bytes.as_chunks().0.iter().map(|chunk| Int::Known(i32::from_le_bytes(*chunk).into())).collect(),
        _ => bytes.iter().map(|&byte| Int::Known(byte.into())).collect(),
    }
}

fn floats(tensor: &TensorProto, kind: Dtype, len: usize) -> Result<Elements, String> {
    let halves = || tensor.int32_data.iter().map(|&bits| (bits as u16).to_le_bytes()).collect::<Vec<_>>().concat();
    let floats = match kind {
        Dtype::F32 => tensor.float_data.clone(),
        #[allow(clippy::cast_possible_truncation, reason = "networks compute in f32")]
        Dtype::F64 => tensor.double_data.iter().map(|&number| number as f32).collect(),
        _ => kind.floats(&halves()),
    };
    if floats.len() == len {
        Ok(Elements::Floats(floats.into()))
    } else {
        Err(wrong_count(floats.len(), "numbers", tensor))
    }
}

fn ints(tensor: &TensorProto, kind: Dtype, len: usize) -> Result<Elements, String> {
    let ints: Arc<[Int]> = match kind {
        Dtype::I64 => tensor.int64_data.iter().map(|&int| Int::Known(int)).collect(),
        _ => tensor.int32_data.iter().map(|&int| Int::Known(int.into())).collect(),
    };
    if ints.len() == len { Ok(Elements::Ints(ints)) } else { Err(wrong_count(ints.len(), "numbers", tensor)) }
}

/// How a tensor is called in a message.
pub(super) fn called(name: &str) -> String {
    format!("tensor {}", Shown(name))
}
