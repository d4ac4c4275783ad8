//! Offsets in one arena, by three heuristics of which the best plan wins.
//!
//! `in_time` is best fit in the order of birth: a buffer takes the smallest free block that holds it, the lowest of
//! equals; at the end of the arena it also takes over a free block that ends there. `O(n log n)`.
//! `by_size` places the largest first, each in the smallest or the lowest gap among those live with it; `O(n^2)`, so that
//! it is tried only up to `TRIED_BY_SIZE` buffers.

use std::collections::{BTreeMap, BTreeSet};

use crate::layout::ALIGN;

/// What the allocator must know of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Floats; rounded up to a multiple of [`ALIGN`] in the arena.
    pub len: usize,
    /// The first step at which the buffer is live.
    pub first: usize,
    /// The last step at which it is live.
    pub last: usize,
}

/// The most buffers that are also placed by size.
const TRIED_BY_SIZE: usize = 4096;

/// The offset of every buffer, and the length of the arena.
pub fn place(spans: &[Span]) -> (Vec<usize>, usize) {
    let in_time = in_time(spans);
    if spans.len() > TRIED_BY_SIZE {
        return in_time;
    }
    let plans = [in_time, by_size(spans, Gap::Smallest), by_size(spans, Gap::Lowest)];
    plans.into_iter().min_by_key(|plan| plan.1).unwrap_or_default()
}

/// Which gap a buffer takes, of those that hold it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// The smallest, of equals the lowest.
    Smallest,
    /// The lowest.
    Lowest,
}

fn by_size(spans: &[Span], gap: Gap) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|&id| (std::cmp::Reverse(spans[id].len), spans[id].first, id));
    let mut offsets = vec![0; spans.len()];
    let mut end = 0;
    // By offset.
    let mut placed: Vec<usize> = Vec::with_capacity(spans.len());
    for id in order {
        let len = rounded(spans[id].len);
        let offset = found(gap, spans, &offsets, &placed, id);
        let position = placed.partition_point(|&other| offsets[other] <= offset);
        placed.insert(position, id);
        offsets[id] = offset;
        end = end.max(offset + len);
    }
    (offsets, end)
}

/// The gap for a buffer among the placed ones that are live with it; behind them all if none holds it.
fn found(which: Gap, spans: &[Span], offsets: &[usize], placed: &[usize], id: usize) -> usize {
    let (own, len) = (spans[id], rounded(spans[id].len));
    let mut best: Option<(usize, usize)> = None;
    let mut end = 0;
    for &other in placed {
        let span = spans[other];
        if span.last < own.first || own.last < span.first {
            continue;
        }
        let gap = offsets[other].saturating_sub(end);
        let better = |(best, _)| which == Gap::Smallest && gap < best;
        if gap >= len && best.is_none_or(better) {
            best = Some((gap, end));
        }
        end = end.max(offsets[other] + rounded(span.len));
    }
    best.map_or(end, |(_, offset)| offset)
}

fn in_time(spans: &[Span]) -> (Vec<usize>, usize) {
    let mut births: Vec<usize> = (0..spans.len()).collect();
    births.sort_by_key(|&id| (spans[id].first, std::cmp::Reverse(spans[id].len), id));
    let mut deaths: Vec<usize> = (0..spans.len()).collect();
    deaths.sort_by_key(|&id| (spans[id].last, id));

    let mut arena = Arena::default();
    let mut offsets = vec![0; spans.len()];
    let mut dead = deaths.into_iter().peekable();
    for id in births {
        while let Some(gone) = dead.next_if(|&gone| spans[gone].last < spans[id].first) {
            arena.free(offsets[gone], rounded(spans[gone].len));
        }
        offsets[id] = arena.take(rounded(spans[id].len));
    }
    (offsets, arena.end)
}

fn rounded(len: usize) -> usize {
    len.next_multiple_of(ALIGN)
}

#[derive(Default)]
struct Arena {
    /// Free blocks: length by offset; no two touch.
    by_offset: BTreeMap<usize, usize>,
    /// The same blocks as (length, offset).
    by_len: BTreeSet<(usize, usize)>,
    end: usize,
}

impl Arena {
    fn take(&mut self, len: usize) -> usize {
        if len == 0 {
            return 0;
        }
        if let Some(&(block, offset)) = self.by_len.range((len, 0)..).next() {
            self.remove(offset, block);
            if block > len {
                self.insert(offset + len, block - len);
            }
            return offset;
        }
        let offset = match self.by_offset.last_key_value() {
            Some((&offset, &block)) if offset + block == self.end => {
                self.remove(offset, block);
                offset
            }
            _ => self.end,
        };
        self.end = offset + len;
        offset
    }

    fn free(&mut self, mut offset: usize, mut len: usize) {
        if len == 0 {
            return;
        }
        if let Some((&before, &block)) = self.by_offset.range(..offset).next_back()
            && before + block == offset
        {
            self.remove(before, block);
            (offset, len) = (before, block + len);
        }
        if let Some(&block) = self.by_offset.get(&(offset + len)) {
            self.remove(offset + len, block);
            len += block;
        }
        self.insert(offset, len);
    }

    fn insert(&mut self, offset: usize, len: usize) {
        self.by_offset.insert(offset, len);
        self.by_len.insert((len, offset));
    }

    fn remove(&mut self, offset: usize, len: usize) {
        self.by_offset.remove(&offset);
        self.by_len.remove(&(len, offset));
    }
}

/// The most floats that are live at once: no plan can be smaller.
#[cfg(test)]
pub fn lower_bound(spans: &[Span]) -> usize {
    let steps = spans.iter().map(|span| span.last + 1).max().unwrap_or(0);
    let mut change = vec![0_isize; steps + 1];
    for span in spans {
        change[span.first] += rounded(span.len) as isize;
        change[span.last + 1] -= rounded(span.len) as isize;
    }
    let mut live = 0;
    let live = change.into_iter().map(|change| {
        live += change;
        live
    });
    live.max().unwrap_or(0) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(len: usize, first: usize, last: usize) -> Span {
        Span { len, first, last }
    }

    #[test]
    fn two_buffers_of_a_chain_alternate() {
        let chain = [span(100, 0, 1), span(60, 1, 2), span(30, 2, 3), span(10, 3, 4)];
        // 112 + 64: the third fits where the first was; the fourth where the second was.
        assert_eq!(in_time(&chain), (vec![0, 112, 0, 32], 176));
    }

    #[test]
    fn the_smallest_fitting_block_is_taken() {
        let spans = [span(64, 0, 0), span(16, 0, 9), span(32, 0, 0), span(16, 0, 9), span(32, 1, 1), span(48, 1, 1)];
        // Placed by size: 64 at 0, 32 at 64, then both 16s; the free blocks of step 1 are 0..96 as one.
        assert_eq!(in_time(&spans), (vec![0, 96, 64, 112, 48, 0], 128));
    }

    #[test]
    fn a_free_block_at_the_end_is_stretched() {
        let spans = [span(16, 0, 5), span(32, 0, 0), span(48, 1, 2)];
        assert_eq!(in_time(&spans), (vec![32, 0, 48], 96));
        let spans = [span(32, 0, 5), span(16, 0, 0), span(48, 1, 2)];
        assert_eq!(in_time(&spans), (vec![0, 32, 32], 80));
    }

    #[test]
    fn the_largest_first_leaves_no_hole_where_order_of_birth_does() {
        let spans = [span(32, 0, 1), span(16, 0, 9), span(48, 2, 3)];
        assert_eq!(in_time(&spans), (vec![0, 32, 48], 96));
        assert_eq!(by_size(&spans, Gap::Smallest), (vec![0, 48, 0], 64));
        assert_eq!(place(&spans), by_size(&spans, Gap::Smallest));
    }

    #[test]
    fn the_lowest_gap_may_leave_room_where_the_smallest_does_not() {
        let spans = [span(48, 5, 8), span(48, 0, 3), span(80, 2, 5), span(96, 0, 4), span(16, 4, 5), span(48, 3, 7)];
        assert_eq!(by_size(&spans, Gap::Smallest), (vec![176, 176, 96, 0, 272, 224], 288));
        assert_eq!(by_size(&spans, Gap::Lowest), (vec![0, 176, 96, 0, 176, 224], 272));
        assert_eq!(place(&spans).1, 272);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_two_live_buffers_overlap(raw in prop::collection::vec((1_usize..300, 0_usize..40, 0_usize..15), 1..120)) {
            let spans: Vec<Span> = raw.iter().map(|&(len, first, life)| span(len, first, first + life)).collect();
            for (offsets, total) in [in_time(&spans), by_size(&spans, Gap::Smallest), by_size(&spans, Gap::Lowest)] {
            prop_assert!(total >= lower_bound(&spans));
            for (a, (&at_a, span_a)) in offsets.iter().zip(&spans).enumerate() {
                prop_assert!(at_a % ALIGN == 0 && at_a + span_a.len <= total);
                for (&at_b, span_b) in offsets.iter().zip(&spans).take(a) {
                    let together = span_a.first <= span_b.last && span_b.first <= span_a.last;
                    let apart = at_a + span_a.len <= at_b || at_b + span_b.len <= at_a;
                    prop_assert!(!together || apart, "{span_a:?} at {at_a}, {span_b:?} at {at_b}");
                }
            }
            }
        }
    }
}
