//! Maps, and how they stand in memory.

/// The order in which the values of a map stand in memory. The compiler chooses one for each value; users only ever see
/// [`Order::Nchw`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// `[channel][row][column]`.
    Nchw,
    /// `[channel / 16][row][column][channel % 16]`: at each position, a vector of sixteen channels. Only maps of whole
    /// blocks of channels have it. At one position it is the same as [`Order::Nchw`].
    Nchw16c,
    /// `[sample / 16][channel][row][column][sample % 16]`: at each position, a vector of sixteen samples. The samples behind
    /// the last whole sixteen of a batch stand as in [`Order::Nchw`].
    Chwn16,
}

impl Order {
    /// Channels of a block of [`Order::Nchw16c`], and samples of a group of [`Order::Chwn16`].
    pub const BLOCK: usize = 16;

    /// Samples of a batch of `n` that stand in whole groups in [`Order::Chwn16`].
    pub(crate) const fn grouped(n: usize) -> usize {
        n / Self::BLOCK * Self::BLOCK
    }
}

/// Channels, height and width of a feature map, and the order in which they stand in memory. A flat vector of `n` features
/// is `n x 1 x 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Map {
    /// Channels.
    pub c: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
    /// Their order in memory.
    pub order: Order,
}

impl Map {
    /// A map of `c` channels of `h` by `w`, in NCHW order.
    pub const fn new(c: usize, h: usize, w: usize) -> Self {
        Map { c, h, w, order: Order::Nchw }
    }

    /// A map of `c` channels of `h` by `w`, channels in blocks of sixteen.
    ///
    /// # Panics
    /// If the channels are not whole blocks.
    pub const fn blocked(c: usize, h: usize, w: usize) -> Self {
        assert!(c.is_multiple_of(Order::BLOCK), "whole blocks of channels");
        Map { c, h, w, order: Order::Nchw16c }
    }

    /// A map of `c` channels of `h` by `w`, samples in groups of sixteen.
    pub const fn batched(c: usize, h: usize, w: usize) -> Self {
        Map { c, h, w, order: Order::Chwn16 }
    }

    /// The same map in NCHW order.
    pub(crate) const fn plain(self) -> Self {
        Map { order: Order::Nchw, ..self }
    }

    /// A group of sixteen samples in [`Order::Chwn16`] as one sample: a block of channels for each channel.
    pub(crate) const fn group(self) -> Self {
        Map::blocked(self.c * Order::BLOCK, self.h, self.w)
    }

    /// Whether the samples stand in groups.
    pub const fn is_batched(&self) -> bool {
        matches!(self.order, Order::Chwn16)
    }

    /// Whether the channels stand in blocks.
    pub const fn is_blocked(&self) -> bool {
        matches!(self.order, Order::Nchw16c)
    }

    /// Channels that stand side by side at each position.
    pub(crate) const fn block(&self) -> usize {
        if self.is_blocked() { Order::BLOCK } else { 1 }
    }

    /// Elements of one channel.
    pub const fn plane(&self) -> usize {
        self.h * self.w
    }

    /// Elements of one sample.
    pub const fn len(&self) -> usize {
        self.c * self.h * self.w
    }

    /// Elements of `n` samples, if that many can be addressed.
    pub(crate) fn len_of(&self, n: usize) -> Option<usize> {
        [self.h, self.w, n].iter().try_fold(self.c, |len, &side| len.checked_mul(side))
    }

    /// Whether a sample has elements, no more than can be addressed, and channels in blocks are whole blocks.
    pub(crate) fn is_sound(&self) -> bool {
        self.len_of(1).is_some_and(|len| len > 0) && (!self.is_blocked() || self.c.is_multiple_of(Order::BLOCK))
    }

    /// Whether the map has no element.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
