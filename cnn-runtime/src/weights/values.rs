//! Numbers of files as `f32`.

use std::borrow::Cow;

use cnn_model::Dtype;

/// The values of little-endian floats as the nearest `f32`; values too large become infinite. `f32` that are
/// aligned in memory are not copied.
///
/// # Panics
/// If the type is none of floats.
pub(super) fn floats(dtype: Dtype, bytes: &[u8]) -> Cow<'_, [f32]> {
    match bytemuck::try_cast_slice(bytes) {
        Ok(floats) if dtype == Dtype::F32 && cfg!(target_endian = "little") => Cow::Borrowed(floats),
        _ => Cow::Owned(dtype.floats(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_of_every_type_are_read() {
        let third = 1.0f64 / 3.0;
        assert_eq!(*floats(Dtype::F64, &third.to_le_bytes()), [third as f32]);
        assert_eq!(*floats(Dtype::Bf16, &[0x80, 0x3f, 0x20, 0xc1]), [1.0, -10.0]);
        assert_eq!(*floats(Dtype::F16, &[0x00, 0x3c, 0x00, 0xc0]), [1.0, -2.0]);
    }

    #[test]
    fn aligned_floats_are_not_copied_and_others_are_read_too() {
        let values = [1.0f32, -2.5, 3.25];
        let bytes: &[u8] = bytemuck::cast_slice(&values);
        assert!(matches!(floats(Dtype::F32, bytes), Cow::Borrowed(read) if read == values));
        let mut shifted = vec![0];
        shifted.extend(bytes);
        shifted.extend(bytes);
        for start in 1..5 {
            let at = &shifted[start..start + 12];
            let expected: Vec<f32> = at.as_chunks().0.iter().map(|&number| f32::from_le_bytes(number)).collect();
            assert_eq!(*floats(Dtype::F32, at), expected);
        }
    }
}
