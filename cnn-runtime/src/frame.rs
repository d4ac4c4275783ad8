//! One pass through a network as emitted code sees it: how many samples, and where each value stands in the arena.

use std::ops::Range;

use crate::info::{ArenaPlan, Slot};

/// The measures of one pass: they turn a planned [`Slot`] into a range of the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Samples in this batch, at most `capacity`.
    pub n: usize,
    /// Samples the arena was made for.
    pub capacity: usize,
    /// Floats of the arena's batch part per sample of capacity.
    pub per_sample: usize,
}

impl Frame {
    /// The frame of a batch of `n` samples in an arena of `plan` made for `capacity`.
    pub const fn new(plan: &ArenaPlan, n: usize, capacity: usize) -> Self {
        Frame { n, capacity, per_sample: plan.per_sample }
    }

    /// Where `slot` stands in the arena.
    pub const fn range(&self, slot: Slot) -> Range<usize> {
        if slot.fixed {
            let start = self.per_sample * self.capacity + slot.offset;
            start..start + slot.len
        } else {
            let start = slot.offset * self.capacity;
            start..start + slot.len * self.n
        }
    }

    /// The values in `slots`, all at once and mutable: `n` samples each, one after the other.
    ///
    /// # Panics
    /// If two slots overlap or one leaves the arena; plans that the compiler makes do neither.
    pub fn views<'a, const K: usize>(&self, arena: &'a mut [f32], slots: [Slot; K]) -> [&'a mut [f32]; K] {
        match arena.get_disjoint_mut(slots.map(|slot| self.range(slot))) {
            Ok(views) => views,
            Err(error) => panic!("the plan is broken, {error}: {slots:?} in {self:?}"),
        }
    }
}

/// Several tensors of one buffer at once, mutable.
///
/// # Panics
/// If two ranges overlap or one leaves the buffer; layouts that the compiler makes do neither.
pub fn tensors<const K: usize>(buffer: &mut [f32], ranges: [Range<usize>; K]) -> [&mut [f32]; K] {
    match buffer.get_disjoint_mut(ranges) {
        Ok(tensors) => tensors,
        Err(error) => panic!("the layout is broken: {error}"),
    }
}

/// The memory of an arena slot as 16-bit integers: two to a float.
pub fn as_u16(values: &mut [f32]) -> &mut [u16] {
    bytemuck::cast_slice_mut(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame { n: 2, capacity: 3, per_sample: 32 };

    #[test]
    fn batch_slots_scale_with_capacity_and_fixed_slots_stand_behind_them() {
        assert_eq!(FRAME.range(Slot::batch(0, 10)), 0..20);
        assert_eq!(FRAME.range(Slot::batch(16, 10)), 48..68);
        assert_eq!(FRAME.range(Slot::fixed(16, 5)), 112..117);
    }

    #[test]
    fn views_are_the_slots_in_order() {
        let mut arena: Vec<f32> = (0..128).map(|i| i as f32).collect();
        let [fixed, a, b] = FRAME.views(&mut arena, [Slot::fixed(0, 2), Slot::batch(0, 1), Slot::batch(16, 2)]);
        assert_eq!((&*fixed, &*a, &*b), (&[96.0, 97.0][..], &[0.0, 1.0][..], &[48.0, 49.0, 50.0, 51.0][..]));
    }

    #[test]
    #[should_panic(expected = "the plan is broken")]
    fn overlapping_slots_are_refused() {
        FRAME.views(&mut [0.0; 128], [Slot::batch(0, 16), Slot::batch(8, 8)]);
    }

    #[test]
    fn tensors_are_the_ranges_in_order() {
        let mut buffer = [1.0, 2.0, 3.0, 4.0];
        let [weight, bias] = tensors(&mut buffer, [0..2, 3..4]);
        assert_eq!((&*weight, &*bias), (&[1.0, 2.0][..], &[4.0][..]));
    }

    #[test]
    fn a_float_holds_two_indices() {
        let mut values = [0.0; 3];
        as_u16(&mut values)[5] = 0x3f80;
        assert_eq!(as_u16(&mut values).len(), 6);
        assert_eq!(values[2].to_bits(), if cfg!(target_endian = "little") { 0x3f80_0000 } else { 0x3f80 });
    }
}
