//! Reads the records and compares tensors with them.

use std::collections::BTreeMap;

use ndarray::{Array4, ArrayD, ArrayViewD, Ix4};
use safetensors::{Dtype, SafeTensors};

/// The named tensors of a file, as `f32`.
pub struct Record(BTreeMap<String, ArrayD<f32>>);

impl Record {
    /// Reads a file's bytes.
    pub fn new(bytes: &[u8]) -> Self {
        let file = SafeTensors::deserialize(bytes).expect("a valid record");
        let tensors = file.tensors().into_iter().map(|(name, view)| {
            let data = view.data();
            let values = match view.dtype() {
                Dtype::F32 => data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
                Dtype::F64 => data.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes) as f32).collect(),
                Dtype::U8 => data.iter().map(|&byte| f32::from(byte)).collect::<Vec<_>>(),
                other => panic!("{name} is {other:?}"),
            };
            (name, ArrayD::from_shape_vec(view.shape(), values).expect("as many values as the shape says"))
        });
        Record(tensors.collect())
    }

    /// The tensor `name`.
    pub fn get(&self, name: &str) -> &ArrayD<f32> {
        self.find(name).unwrap_or_else(|| panic!("the record has no `{name}`"))
    }

    /// The tensor `name`, if there is one.
    pub fn find(&self, name: &str) -> Option<&ArrayD<f32>> {
        self.0.get(name)
    }

    /// The tensor `name` as a batch of images.
    pub fn batch(&self, name: &str) -> Array4<f32> {
        self.get(name).clone().into_dimensionality::<Ix4>().expect("four axes")
    }

    /// Names under a prefix, without it.
    pub fn names<'r>(&'r self, prefix: &'r str) -> impl Iterator<Item = &'r str> {
        self.0.keys().filter_map(move |name| name.strip_prefix(prefix))
    }
}

/// Asserts that no value is further from the golden one than `tolerance` times the golden tensor's largest magnitude.
/// `found` may have its axes behind the first merged.
#[track_caller]
pub fn assert_close(what: &str, found: ArrayViewD<'_, f32>, golden: &ArrayD<f32>, tolerance: f32) {
    assert_eq!(found.len(), golden.len(), "{what}: {:?} against a golden {:?}", found.shape(), golden.shape());
    let bound = tolerance * golden.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
    for (index, (found, golden)) in found.iter().zip(golden).enumerate() {
        let distance = (found - golden).abs();
        assert!(distance <= bound, "{what}[{index}]: {found}, golden {golden}: {distance:e} apart, bound {bound:e}");
    }
}
