//! One pass through a network as emitted code sees it: how many samples, and where each value stands in the arena.

use std::fmt;
use std::ops::Range;

use crate::desc::{Order, Statistics};
use crate::info::{ArenaPlan, Slot};
use crate::kept::Kept;
use crate::kernel::conv::winograd::Transformed;

/// The measures of one pass, which turn a planned [`Slot`] into a range of the arena; in training, also how it is made
/// and who looks on.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// Samples in this batch, at most `capacity`.
    pub n: usize,
    /// Samples the arena was made for.
    pub capacity: usize,
    /// Floats of the arena's batch part per sample of capacity.
    pub per_sample: usize,
    /// Whether training is only played: nothing is dropped, and no statistics are taken.
    pub inspect: bool,
    /// Layers that are not trained, by their place in the network; those behind the end are.
    pub frozen: &'a [bool],
    /// Who is shown what layers compute.
    pub probe: Option<&'a dyn Probe>,
    /// What inference has made of the parameters.
    pub(crate) kept: Option<&'a Kept>,
}

/// Looks on while a pass in training runs. Layers are named by their place in the network; values come in the order in
/// which they stand in memory.
pub trait Probe: Sync {
    /// What a layer made of the batch.
    fn output(&self, layer: usize, order: Order, values: &[f32]);
    /// The gradient by what the layer made, once it is complete.
    fn gradient(&self, layer: usize, order: Order, values: &[f32]);
}

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Frame");
        shown.field("n", &self.n).field("capacity", &self.capacity).field("per_sample", &self.per_sample);
        shown.field("inspect", &self.inspect).field("frozen", &self.frozen).finish_non_exhaustive()
    }
}

impl<'a> Frame<'a> {
    /// The frame of a batch of `n` samples in an arena of `plan` made for `capacity`.
    pub const fn new(plan: &ArenaPlan, n: usize, capacity: usize) -> Self {
        Frame { n, capacity, per_sample: plan.per_sample, inspect: false, frozen: &[], probe: None, kept: None }
    }

    /// The statistics by which batch normalisation at this place in the network normalises in training.
    pub fn statistics(&self, layer: usize) -> Statistics {
        let fixed = self.inspect || self.frozen.get(layer).copied().unwrap_or(false);
        if fixed { Statistics::Running } else { Statistics::Batch }
    }

    /// The transformed weights of the layer at this place in the network, if they are kept.
    pub fn kept(&self, layer: usize) -> Option<Transformed<'a>> {
        self.kept.and_then(|kept| kept.of(layer))
    }

    /// The part of values that dropout drops, where training drops `rate`.
    pub const fn dropped(&self, rate: f32) -> f32 {
        if self.inspect { 0.0 } else { rate }
    }

    /// Shows what a layer made of the batch, which stands in `slot` in this order, to whoever looks on.
    pub fn show(&self, layer: usize, order: Order, slot: Slot, arena: &[f32]) {
        if let Some(probe) = self.probe {
            probe.output(layer, order, &arena[self.range(slot)]);
        }
    }

    /// Shows the gradient by what a layer made, as [`show`](Frame::show).
    pub fn show_gradient(&self, layer: usize, order: Order, slot: Slot, arena: &[f32]) {
        if let Some(probe) = self.probe {
            probe.gradient(layer, order, &arena[self.range(slot)]);
        }
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
    pub fn views<'v, const K: usize>(&self, arena: &'v mut [f32], slots: [Slot; K]) -> [&'v mut [f32]; K] {
        match arena.get_disjoint_mut(slots.map(|slot| self.range(slot))) {
            Ok(views) => views,
            Err(error) => panic!("the plan is broken, {error}: {slots:?} of {} samples", self.n),
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

    const FRAME: Frame<'_> =
        Frame { n: 2, capacity: 3, per_sample: 32, inspect: false, frozen: &[true, false], probe: None, kept: None };

    #[test]
    fn batch_slots_scale_with_capacity_and_fixed_slots_stand_behind_them() {
        assert_eq!(FRAME.range(Slot::batch(0, 10)), 0..20);
        assert_eq!(FRAME.range(Slot::batch(16, 10)), 48..68);
        assert_eq!(FRAME.range(Slot::fixed(16, 5)), 112..117);
    }

    #[test]
    fn frozen_layers_and_inspections_go_by_running_statistics() {
        assert_eq!([0, 1, 2].map(|layer| FRAME.statistics(layer) == Statistics::Running), [true, false, false]);
        let inspection = Frame { inspect: true, ..FRAME };
        assert_eq!((inspection.statistics(2), inspection.dropped(0.5)), (Statistics::Running, 0.0));
        assert_eq!(FRAME.dropped(0.5), 0.5);
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
