//! One axis of a sliding window: which taps fall inside the input, and which outputs have all of theirs there.

use std::ops::Range;

use crate::desc::{Map, Window};

/// Rows of outputs narrower than this are not worth a pass per tap.
pub(crate) const NARROW: usize = 8;

/// Rows or columns of a window's walk over a map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    /// Taps.
    pub kernel: usize,
    /// Inputs between neighbouring outputs.
    pub stride: usize,
    /// Inputs between neighbouring taps.
    pub dilation: usize,
    /// Padding before the first input.
    pub pad: usize,
    /// Inputs.
    pub inputs: usize,
    /// Outputs.
    pub outputs: usize,
}

impl Axis {
    /// The vertical and the horizontal axis.
    pub(crate) fn both(window: &Window, input: Map, output: Map) -> [Axis; 2] {
        let sizes = [(input.h, output.h), (input.w, output.w)];
        [0, 1].map(|i| Axis {
            kernel: window.kernel[i],
            stride: window.stride[i],
            dilation: window.dilation[i],
            pad: window.pad[i],
            inputs: sizes[i].0,
            outputs: sizes[i].1,
        })
    }

    /// The taps of output `o` that fall inside the input; tap `k` reads input [`at(o, k)`](Axis::at).
    pub(crate) fn taps(&self, o: usize) -> Range<usize> {
        let start = o * self.stride;
        let first = self.pad.saturating_sub(start).div_ceil(self.dilation).min(self.kernel);
        let end = (self.inputs + self.pad).saturating_sub(start).div_ceil(self.dilation).min(self.kernel);
        first..end.max(first)
    }

    /// The outputs whose tap `k` falls inside the input.
    pub(crate) fn outputs_of(&self, k: usize) -> Range<usize> {
        let tap = k * self.dilation;
        let first = self.pad.saturating_sub(tap).div_ceil(self.stride).min(self.outputs);
        let end = (self.inputs + self.pad).saturating_sub(tap).div_ceil(self.stride).min(self.outputs);
        first..end.max(first)
    }

    /// The input under tap `k` of output `o`, which must be inside.
    pub(crate) fn at(&self, o: usize, k: usize) -> usize {
        o * self.stride + k * self.dilation - self.pad
    }

    /// The outputs and taps that read input `i`, outputs in order.
    pub(crate) fn readers(&self, i: usize) -> impl Iterator<Item = (usize, usize)> {
        (0..self.kernel).rev().filter_map(move |k| {
            let start = (i + self.pad).checked_sub(k * self.dilation)?;
            let o = start / self.stride;
            (start.is_multiple_of(self.stride) && o < self.outputs).then_some((o, k))
        })
    }

    /// The outputs whose windows lie inside the input.
    pub(crate) fn whole(&self) -> Range<usize> {
        let first = self.pad.div_ceil(self.stride).min(self.outputs);
        let end = match (self.inputs + self.pad).checked_sub((self.kernel - 1) * self.dilation + 1) {
            Some(room) => (room / self.stride + 1).min(self.outputs),
            None => first,
        };
        first..end.max(first)
    }

    /// The outputs whose windows, rounded up to whole strides, lie inside the input.
    pub(crate) fn inner(&self) -> Range<usize> {
        let span = ((self.kernel - 1) * self.dilation + 1).next_multiple_of(self.stride);
        let first = self.pad.div_ceil(self.stride).min(self.outputs);
        let end = match (self.inputs + self.pad).checked_sub(span) {
            Some(room) => (room / self.stride + 1).min(self.outputs),
            None => first,
        };
        first..end.max(first)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn taps_and_outputs_are_those_inside(
            kernel in 1usize..6, stride in 1usize..4, dilation in 1usize..4, pad in 0usize..5,
            inputs in 1usize..12, outputs in 1usize..12,
        ) {
            let axis = Axis { kernel, stride, dilation, pad, inputs, outputs };
            let inside = |o: usize, k: usize| (pad..pad + inputs).contains(&(o * stride + k * dilation));
            for i in 0..inputs {
                let readers: Vec<_> = axis.readers(i).collect();
                let at = |o: usize, k: usize| o * stride + k * dilation == i + pad;
                let expected = (0..outputs).flat_map(|o| (0..kernel).map(move |k| (o, k))).filter(|&(o, k)| at(o, k));
                prop_assert_eq!(readers, expected.collect::<Vec<_>>());
            }
            for o in 0..outputs {
                for k in 0..kernel {
                    prop_assert_eq!(axis.taps(o).contains(&k), inside(o, k));
                    prop_assert_eq!(axis.outputs_of(k).contains(&o), inside(o, k));
                }
            }
            let span = ((kernel - 1) * dilation + 1).next_multiple_of(stride);
            for o in 0..outputs {
                let fits = o * stride >= pad && o * stride + span <= pad + inputs;
                prop_assert_eq!(axis.inner().contains(&o), fits);
                prop_assert_eq!(axis.whole().contains(&o), (0..kernel).all(|k| inside(o, k)));
            }
        }
    }
}
