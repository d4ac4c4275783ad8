//! Progress bars that are silent when nobody watches.

use std::ops::ControlFlow;

use cnn_runtime::prelude::*;
use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `len` steps of something that takes a while; `label` stands before it. Drawn on standard error, and only
/// where that is a terminal.
pub fn bar(label: impl Into<String>, len: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg} [{elapsed} < {eta}]")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(len as u64).with_style(style).with_prefix(label.into())
}

/// Shows a training run: a bar for each epoch, then a line with what was reached.
#[derive(Default)]
pub struct Watch<'a> {
    test: Option<&'a dyn Dataset>,
    bar: Option<ProgressBar>,
}

impl<'a> Watch<'a> {
    /// Watches a run and tests the network on `test` after each epoch; `Watch::default()` does not test.
    pub fn testing(test: &'a dyn Dataset) -> Self {
        Watch { test: Some(test), bar: None }
    }
}

impl<N: Network> Callback<N> for Watch<'_> {
    fn step(&mut self, step: &Step) {
        let bar = self.bar.get_or_insert_with(|| bar(format!("epoch {:>2}", step.epoch + 1), step.total_images));
        bar.set_message(format!("loss {:.4}  accuracy {:.2} %", step.mean_loss, 100.0 * step.accuracy));
        bar.set_position(step.images as u64);
    }

    fn epoch(&mut self, network: &N, epoch: &Epoch) -> Result<ControlFlow<()>, Error> {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let Epoch { epoch: index, epochs, loss, accuracy, .. } = epoch;
        let mut line = format!("epoch {:>2}/{epochs}  loss {loss:.4}  train {:.2} %", index + 1, 100.0 * accuracy);
        if let Some(test) = self.test {
            let reached = evaluate(network, &mut network.workspace(256), test)?;
            line += &format!("  test {:.2} %", 100.0 * reached.accuracy());
        }
        println!("{line}  {:.0} images/s", epoch.images as f64 / epoch.time.as_secs_f64());
        Ok(ControlFlow::Continue(()))
    }
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
