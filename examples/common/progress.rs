//! Progress bars that are silent when nobody watches.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `len` steps of something that takes a while; `label` stands before it. Drawn on standard error, and only
/// where that is a terminal.
pub fn bar(label: impl Into<String>, len: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg} [{elapsed} < {eta}]")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(len as u64).with_style(style).with_prefix(label.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_counts_to_its_length() {
        let bar = bar("epoch 1", 3);
        bar.inc(3);
        assert_eq!(bar.length(), Some(3));
        assert_eq!(bar.position(), 3);
    }
}
