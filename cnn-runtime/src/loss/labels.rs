//! Class labels in any integer type and any list.

/// A list of class labels: a slice, array or vector of any integer type.
pub trait Labels {
    /// How many labels there are.
    fn count(&self) -> usize;

    /// The label of sample `index`, which is below [`count`](Labels::count).
    fn label(&self, index: usize) -> i128;
}

macro_rules! integer_labels {
    ($($integer:ty)*) => {$(
        impl Labels for [$integer] {
            fn count(&self) -> usize {
                self.len()
            }

            fn label(&self, index: usize) -> i128 {
                self[index] as i128
            }
        }
    )*};
}

integer_labels!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

impl<L, const N: usize> Labels for [L; N]
where
    [L]: Labels,
{
    fn count(&self) -> usize {
        N
    }

    fn label(&self, index: usize) -> i128 {
        self[..].label(index)
    }
}

impl<L> Labels for Vec<L>
where
    [L]: Labels,
{
    fn count(&self) -> usize {
        self.len()
    }

    fn label(&self, index: usize) -> i128 {
        self[..].label(index)
    }
}

impl<T: Labels + ?Sized> Labels for &T {
    fn count(&self) -> usize {
        (**self).count()
    }

    fn label(&self, index: usize) -> i128 {
        (**self).label(index)
    }
}
