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

/// Shows a training run: a bar for each epoch, then a line with its loss and its accuracy on other data.
pub struct Watch<'a, D: ?Sized> {
    test: &'a D,
    bar: Option<ProgressBar>,
}

impl<'a, D: Dataset + ?Sized> Watch<'a, D> {
    /// Watches a run, testing on `test` after each epoch.
    pub fn new(test: &'a D) -> Self {
        Watch { test, bar: None }
    }
}

impl<N: Network, D: Dataset + ?Sized> Callback<N> for Watch<'_, D> {
    fn step(&mut self, step: &Step) {
        let bar = self.bar.get_or_insert_with(|| bar(format!("epoch {:>2}", step.epoch + 1), step.total_images));
        bar.set_message(format!("loss {:.4}  accuracy {:.2} %", step.mean_loss, 100.0 * step.accuracy));
        bar.set_position(step.images as u64);
    }

    fn epoch(&mut self, network: &N, epoch: &Epoch) -> Result<ControlFlow<()>, Error> {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let test = evaluate(network, &mut network.workspace(256), self.test)?;
        println!(
            "epoch {:>2}/{}  loss {:.4}  train {:.2} %  test {:.2} %  {:.0} images/s",
            epoch.epoch + 1,
            epoch.epochs,
            epoch.loss,
            100.0 * epoch.accuracy,
            100.0 * test.accuracy(),
            epoch.images as f64 / epoch.time.as_secs_f64()
        );
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
