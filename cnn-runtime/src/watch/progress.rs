//! A progress bar for a training run.

use std::fmt;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::Error;
use crate::train::{Callback, Epoch, Step};

/// A time left that is none, but that of a run which ends by itself: a hundred years.
const ENDLESS: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

const TEMPLATE: &str = "{prefix} {wide_bar} {pos}/{len}  {msg}  {per_sec} images/s  {eta} left";

/// Shows a training run: while an epoch goes on, a bar with the loss, the accuracy, images per second and the time
/// left; after it, a line with what it reached and the time left of the run.
///
/// The bar is drawn on standard error, and only where that is a terminal; the lines go to standard output, so that a
/// run in a pipe or a log leaves one line for each epoch.
pub struct Progress {
    out: Box<dyn Write + Send>,
    target: fn() -> ProgressDrawTarget,
    bar: Option<ProgressBar>,
    /// When the first step was over, and how many epochs were made before it: not 0 if the run was taken up.
    start: Option<(Instant, f64)>,
    epochs: Option<usize>,
    /// The epoch and the step in it that was shown last.
    last: Option<(usize, usize)>,
}

impl Progress {
    /// Lines on standard output, the bar on standard error.
    pub fn new() -> Self {
        Self::to(io::stdout())
    }

    /// Lines on `out`, the bar on standard error.
    pub fn to(out: impl Write + Send + 'static) -> Self {
        Progress {
            out: Box::new(out),
            target: ProgressDrawTarget::stderr,
            bar: None,
            start: None,
            epochs: None,
            last: None,
        }
    }

    /// The bar of an epoch that begins.
    fn begin(&self, step: &Step) -> ProgressBar {
        let of = self.epochs.map_or(String::new(), of);
        bar(format!("epoch {:>2}{of}", step.epoch + 1), step.total_images, (self.target)())
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").field("bar", &self.bar).field("start", &self.start).finish_non_exhaustive()
    }
}

impl<N> Callback<N> for Progress {
    fn step(&mut self, step: &Step) {
        let place = (step.epoch, step.step);
        if self.last.replace(place).is_some_and(|last| place <= last) {
            // Another run.
            (self.start, self.epochs) = (None, None);
            if let Some(bar) = self.bar.take() {
                bar.finish_and_clear();
            }
        }
        if self.bar.is_none() {
            self.bar = Some(self.begin(step));
            let made = step.epoch as f64 + step.step as f64 / step.steps as f64;
            self.start.get_or_insert_with(|| (Instant::now(), made));
        }
        if let Some(bar) = self.bar.as_ref().filter(|bar| !bar.is_hidden()) {
            bar.set_message(format!("loss {:.4}  accuracy {:.2} %", step.mean_loss, 100.0 * step.accuracy));
            bar.set_position(step.images as u64);
        }
    }

    fn epoch(&mut self, _: &N, epoch: &Epoch) -> Result<ControlFlow<()>, Error> {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.epochs = Some(epoch.epochs);
        let (spent, made) = match self.start {
            Some((start, before)) => (start.elapsed(), (epoch.epoch + 1) as f64 - before),
            None => (epoch.time, 1.0),
        };
        writeln!(self.out, "{}", line(epoch, spent, made))
            .and_then(|()| self.out.flush())
            .map_err(|error| Error::Io { path: None, error })?;
        Ok(ControlFlow::Continue(()))
    }
}

/// A bar that counts images up to `len`, with `label` before it.
fn bar(label: String, len: usize, target: ProgressDrawTarget) -> ProgressBar {
    let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar()).with_key(
        "per_sec",
        |state: &indicatif::ProgressState, out: &mut dyn fmt::Write| {
            let _ = write!(out, "{:.0}", state.per_sec());
        },
    );
    ProgressBar::with_draw_target(Some(len as u64), target).with_style(style).with_prefix(label)
}

/// How many epochs there are, behind the number of one; nothing of a run that ends by itself.
fn of(epochs: usize) -> String {
    if epochs == usize::MAX { String::new() } else { format!("/{epochs}") }
}

/// What an epoch reached, for people; `spent` is the time that the epochs `made` by this run took.
fn line(epoch: &Epoch, spent: Duration, made: f64) -> String {
    let Epoch { epoch: index, epochs, loss, accuracy, .. } = epoch;
    let (number, of, percent) = (index + 1, of(*epochs), 100.0 * accuracy);
    let mut line = format!("epoch {number:>2}{of}  loss {loss:.4}  train {percent:.2} %");
    if let Some(validation) = &epoch.validation {
        line += &format!("  test loss {:.4}  test {:.2} %", validation.loss, 100.0 * validation.accuracy());
    }
    line += &format!("  {:.0} images/s", epoch.images as f64 / epoch.time.as_secs_f64().max(1e-9));
    if !epoch.skipped.is_empty() {
        line += &format!("  {} left out", epoch.skipped.len());
    }
    let ahead = epochs.saturating_sub(index + 1);
    if let Some(left) = left(spent, made, ahead).filter(|_| ahead > 0) {
        line += &format!("  {} left", HumanDuration(left));
    }
    line
}

/// The time that the epochs ahead take if they are as those that were made; `None` if it cannot be told.
fn left(spent: Duration, made: f64, ahead: usize) -> Option<Duration> {
    Duration::try_from_secs_f64(spent.as_secs_f64() / made * ahead as f64).ok().filter(|left| *left < ENDLESS)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use indicatif::{InMemoryTerm, TermLike};

    use super::*;
    use crate::network::Network;
    use crate::toy::Toy;
    use crate::watch::epoch;

    /// What was written, shared with the test.
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Shared {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn step(images: usize) -> Step {
        Step {
            epoch: 0,
            step: images / 200 - 1,
            steps: 3,
            lr: 0.1,
            loss: 0.5,
            mean_loss: 0.625,
            accuracy: 0.875,
            images,
            total_images: 600,
        }
    }

    #[test]
    fn an_epoch_is_a_line_with_the_time_left() {
        let out = Shared::default();
        let (net, mut progress) = (Toy::new(0), Progress::to(out.clone()));
        for index in 0..3 {
            Callback::<Toy>::step(&mut progress, &Step { epoch: index, ..step(600) });
            assert_eq!(progress.epoch(&net, &epoch(index, 3)).unwrap(), ControlFlow::Continue(()));
        }
        let text = out.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "epoch  1/3  loss 0.5000  train 75.00 %  400 images/s  0 seconds left");
        assert_eq!(lines[2], "epoch  3/3  loss 0.2500  train 75.00 %  400 images/s");
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn the_bar_shows_where_the_epoch_stands() {
        let term = InMemoryTerm::new(4, 120);
        let target = ProgressDrawTarget::term_like(Box::new(term.clone()));
        let bar = bar("epoch  1".into(), 600, target);
        let mut progress = Progress { bar: Some(bar), ..Progress::to(io::sink()) };
        Callback::<Toy>::step(&mut progress, &step(200));
        progress.bar.as_ref().unwrap().force_draw();
        let shown = term.contents();
        for part in ["epoch  1 ", "200/600", "loss 0.6250", "accuracy 87.50 %", "images/s", "left"] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        assert!(shown.len() <= usize::from(term.width()) * 3, "one line: {shown}");
        assert!(progress.epoch(&Toy::new(0), &epoch(0, 1)).unwrap().is_continue());
        assert_eq!(term.contents(), "", "the line takes the bar's place");
    }

    #[test]
    fn the_time_left_is_that_of_the_epochs_ahead() {
        let line = line(&epoch(1, 5), Duration::from_secs(80), 2.0);
        assert!(line.ends_with("  400 images/s  2 minutes left"), "{line}");
    }

    #[test]
    fn the_time_left_of_a_run_taken_up_goes_by_what_was_made_since() {
        let step = Step { epoch: 7, step: 1, steps: 2, ..step(600) };
        let mut progress = Progress::to(io::sink());
        Callback::<Toy>::step(&mut progress, &step);
        // The first half of the eighth epoch was made by another run.
        assert_eq!(progress.start.unwrap().1, 7.5);
        let line = line(&epoch(9, 12), Duration::from_secs(100), 2.5);
        assert!(line.ends_with("  80 seconds left"), "{line}");
    }

    #[test]
    fn no_time_is_left_of_a_run_that_ends_by_itself() {
        let line = line(&epoch(1, usize::MAX), Duration::from_secs(80), 2.0);
        assert!(line.starts_with("epoch  2  loss ") && line.ends_with("  400 images/s"), "{line}");
    }

    #[test]
    fn another_run_begins_anew() {
        let mut progress = Progress::to(io::sink());
        for index in 0..2 {
            Callback::<Toy>::step(&mut progress, &Step { epoch: index, ..step(600) });
            assert!(progress.epoch(&Toy::new(0), &epoch(index, 2)).unwrap().is_continue());
        }
        assert_eq!((progress.start.unwrap().1, progress.epochs), (2.0 / 3.0, Some(2)));
        Callback::<Toy>::step(&mut progress, &step(200));
        assert_eq!((progress.start.unwrap().1, progress.epochs), (0.0, None));
    }

    #[test]
    fn no_time_and_no_images_are_no_trouble() {
        let mut nothing = epoch(0, 0);
        nothing.skipped = vec!["a.jpg: torn".into()];
        (nothing.images, nothing.time, nothing.loss) = (0, Duration::ZERO, f32::NAN);
        assert_eq!(line(&nothing, Duration::ZERO, 1.0), "epoch  1/0  loss NaN  train 75.00 %  0 images/s  1 left out");
    }
}
