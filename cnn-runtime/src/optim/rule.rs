//! How a rule for single parameters is applied to all of a network's.

use std::ops::Range;

use super::memory::{Memory, mismatch};
use crate::buffer::LINE;
use crate::error::Error;
use crate::info::{Role, TensorInfo};
use crate::kernel::pieces::{CHUNK, each_with};
use crate::kernel::wide::wide;

/// An update rule: a loop over parameters `w`, their gradients `d`, and `N` remembered values for each.
pub(super) trait Rule<const N: usize>: Copy + Sync {
    /// Changes `w` and what is remembered. Has to be `#[inline(always)]`, to be compiled for each instruction set.
    fn apply(self, decay: f32, w: &mut [f32], d: &[f32], kept: [&mut [f32]; N]);
}

/// Weight decay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Decay {
    /// The part of a parameter that is added to its gradient, or subtracted from it, as the rule says.
    pub amount: f32,
    /// Whether biases and the parameters of normalisations decay too.
    pub all: bool,
}

impl Decay {
    pub(super) const NONE: Decay = Decay { amount: 0.0, all: true };
}

/// Applies `rule` with the remembered buffers `names` to every tensor in `tensors` that is trained.
pub(super) fn apply<R: Rule<N>, const N: usize>(
    rule: R,
    decay: Decay,
    (memory, names): (&mut Memory, [&str; N]),
    (values, gradients): (&mut [f32], &[f32]),
    tensors: &[TensorInfo],
) -> Result<(), Error> {
    if gradients.len() != values.len() {
        return Err(mismatch("number of gradients", values.len(), gradients.len()));
    }
    let mut kept = memory.buffers_mut(names, values.len())?;
    for Span { range, decays } in spans(tensors, |tensor| decay.all || tensor.role == Role::Weight) {
        let decay = if decays { decay.amount } else { 0.0 };
        let d = &gradients[range.clone()];
        let kept = kept.each_mut().map(|kept| &mut kept[range.clone()]);
        // A parameter costs the reading and writing of several floats.
        each_with(&mut values[range.clone()], kept, CHUNK, 2 * range.len(), |i, w, kept| {
            let d = &d[i * CHUNK..][..w.len()];
            wide(
                #[inline(always)]
                || rule.apply(decay, w, d, kept),
            );
        });
    }
    memory.steps += 1;
    Ok(())
}

/// Parameters that stand together and are treated alike.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    range: Range<usize>,
    decays: bool,
}

/// The fewest spans that cover the trained tensors and nothing else but the padding between them, which is zero and
/// stays so under every rule.
fn spans(tensors: &[TensorInfo], decays: impl Fn(&TensorInfo) -> bool) -> impl Iterator<Item = Span> {
    let mut trained = tensors.iter().filter(|tensor| !tensor.role.is_state()).peekable();
    std::iter::from_fn(move || {
        let first = trained.next()?;
        let mut span = Span { range: first.offset..first.offset + first.len(), decays: decays(first) };
        while let Some(next) =
            trained.next_if(|next| next.offset == span.range.end.next_multiple_of(LINE) && decays(next) == span.decays)
        {
            span.range.end = next.offset + next.len();
        }
        Some(span)
    })
}

/// Where the trained tensors stand.
pub(super) fn ranges(tensors: &[TensorInfo]) -> impl Iterator<Item = Range<usize>> {
    spans(tensors, |_| true).map(|span| span.range)
}

/// Refuses a setting that is not `sound`.
pub(super) fn check(option: &'static str, found: f32, expected: &'static str, sound: bool) -> Result<(), Error> {
    if sound { Ok(()) } else { Err(Error::InvalidOption { option, expected, found: found.to_string() }) }
}

/// Refuses what is not a finite number of at least 0.
pub(super) fn check_not_negative(option: &'static str, found: f32) -> Result<(), Error> {
    check(option, found, "a finite number of at least 0", found.is_finite() && found >= 0.0)
}

/// Refuses what is not from 0 up to but not including 1.
pub(super) fn check_below_one(option: &'static str, found: f32) -> Result<(), Error> {
    check(option, found, "a number from 0 up to but not including 1", (0.0..1.0).contains(&found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Layout;

    const fn tensor(offset: usize, shape: &'static [usize], role: Role) -> TensorInfo {
        TensorInfo { name: "", shape, offset, fan_in: 1, fan_out: 1, role, layout: Layout::Plain }
    }

    const TENSORS: [TensorInfo; 5] = [
        tensor(0, &[5, 4], Role::Weight),
        tensor(32, &[5], Role::Bias),
        tensor(0, &[9], Role::RunningMean),
        tensor(48, &[16], Role::Weight),
        tensor(64, &[2], Role::Weight),
    ];

    fn found(tensors: &[TensorInfo], all: bool) -> Vec<(Range<usize>, bool)> {
        let spans = spans(tensors, |tensor| all || tensor.role == Role::Weight);
        spans.map(|span| (span.range, span.decays)).collect()
    }

    #[test]
    fn neighbours_that_are_treated_alike_are_one_span() {
        assert_eq!(found(&TENSORS, true), [(0..66, true)]);
        assert_eq!(found(&TENSORS, false), [(0..20, true), (32..37, false), (48..66, true)]);
    }

    #[test]
    fn what_is_not_listed_is_left_out() {
        assert_eq!(found(&[TENSORS[0], TENSORS[3], TENSORS[4]], true), [(0..20, true), (48..66, true)]);
        assert_eq!(found(&[TENSORS[2]], true), []);
    }
}
