//! The arithmetic of sliding windows along one axis, in pixels.

/// How many pixels a kernel spans whose taps are `dilation` apart; [`usize::MAX`] where they cannot be counted.
pub fn span(kernel: usize, dilation: usize) -> usize {
    kernel.saturating_sub(1).saturating_mul(dilation).saturating_add(1)
}

/// How many windows of `span` pixels, `stride` apart, there are on `input` pixels with `pad` before and behind, and how far
/// the last one ends behind the padding: at all only by `ceil`, where it may, as long as it does not begin behind the
/// input. `None` where no window fits. `input` and `stride` are positive.
pub fn explicit(input: usize, span: usize, stride: usize, pad: [usize; 2], ceil: bool) -> Option<(usize, usize)> {
    let begun = pad[0].checked_add(input)?;
    let padded = begun.checked_add(pad[1])?;
    let mut windows = match padded.checked_sub(span) {
        Some(free) if ceil => free.div_ceil(stride) + 1,
        Some(free) => free / stride + 1,
        None if ceil && span - padded < stride => 1,
        None => return None,
    };
    if ceil && (windows - 1).saturating_mul(stride) >= begun {
        windows -= 1;
    }
    let end = ((windows - 1) * stride).saturating_add(span);
    Some((windows, end.saturating_sub(padded)))
}

/// How many windows there are, `ceil(input / stride)`, and how much padding that takes. `None` where it cannot be counted.
/// `input` and `stride` are positive.
pub fn same(input: usize, span: usize, stride: usize) -> Option<(usize, usize)> {
    let windows = input.div_ceil(stride);
    let end = (windows - 1).checked_mul(stride)?.checked_add(span)?;
    Some((windows, end.saturating_sub(input)))
}

/// The most pixels of a [`walk`] along rows times that along columns: what can be addressed in vectors of sixteen floats.
pub const MOST_WALKED: usize = isize::MAX as usize / (16 * size_of::<f32>());

/// How many pixels lie between the first tap of the first window and the last of the last one, padding and a step more
/// counted in; [`usize::MAX`] where they cannot be counted. `inputs` are the pixels that `windows` are placed on.
pub fn walk(
    kernel: usize,
    dilation: usize,
    stride: usize,
    windows: usize,
    inputs: usize,
    [before, behind]: [usize; 2],
) -> usize {
    let steps = [stride.saturating_mul(windows), inputs, before, behind];
    steps.into_iter().fold(kernel.saturating_mul(dilation), usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_end_inside_the_padding() {
        assert_eq!(explicit(28, span(5, 1), 1, [2, 2], false), Some((28, 0)));
        assert_eq!(explicit(227, span(11, 1), 4, [0, 0], false), Some((55, 0)));
        assert_eq!(explicit(224, span(7, 1), 2, [3, 3], false), Some((112, 0)));
        assert_eq!(explicit(7, span(3, 3), 1, [0, 0], false), Some((1, 0)));
        assert_eq!(explicit(6, span(3, 1), 2, [1, 3], false), Some((4, 0)));
        assert_eq!(explicit(4, span(5, 1), 1, [0, 0], false), None);
    }

    #[test]
    fn a_window_too_many_begins_on_the_input() {
        let explicit = |input, kernel, stride, pad| explicit(input, kernel, stride, [pad; 2], true);
        assert_eq!(explicit(112, 3, 2, 0), Some((56, 1)));
        assert_eq!(explicit(7, 3, 2, 0), Some((3, 0)));
        assert_eq!(explicit(8, 3, 4, 0), Some((2, 0)));
        assert_eq!(explicit(9, 5, 4, 1), Some((3, 2)));
        assert_eq!((explicit(2, 4, 2, 0), explicit(2, 5, 2, 0)), (None, None));
        // The third window would begin at the padding behind.
        assert_eq!(explicit(3, 2, 2, 1), Some((2, 0)));
        assert_eq!(explicit(2, 3, 2, 0), Some((1, 1)));
        assert_eq!(explicit(3, 1, 3, 0), Some((1, 0)));
    }

    #[test]
    fn the_same_size_takes_as_much_padding_as_windows_reach() {
        assert_eq!(same(28, span(5, 1), 1), Some((28, 4)));
        assert_eq!(same(6, span(3, 1), 2), Some((3, 1)));
        assert_eq!(same(7, span(1, 1), 3), Some((3, 0)));
    }

    #[test]
    fn sizes_at_the_limit_do_not_overflow() {
        const HUGE: usize = usize::MAX;
        assert_eq!((span(HUGE, HUGE), same(HUGE, HUGE, 1)), (HUGE, None));
        assert_eq!(explicit(1, HUGE, 1, [HUGE; 2], false), None);
        assert_eq!(explicit(HUGE, 2, HUGE, [0, 0], true), Some((1, 0)));
        assert_eq!(explicit(HUGE - 1, HUGE, HUGE, [0, 0], true), Some((1, 1)));
        assert_eq!([walk(HUGE, 2, 1, 1, 1, [0; 2]), walk(3, 1, 1, 1, HUGE, [1; 2])], [HUGE; 2]);
    }
}
