//! How a run went.

use super::axis::Unit;
use super::chart::LineChart;
use super::svg::Figure;
use crate::metrics::Summary;
use crate::train::{Epoch, History};

/// The mean loss of each epoch, in training and, with validation data, on these.
pub fn loss_curve(history: &History) -> Figure {
    let chart = LineChart::new("Loss").y("mean cross-entropy", Unit::Plain).from_zero();
    both(chart, history, |epoch| f64::from(epoch.loss), |reached| f64::from(reached.loss))
}

/// The accuracy of each epoch, in training and, with validation data, on these.
pub fn accuracy_curve(history: &History) -> Figure {
    let chart = LineChart::new("Accuracy").y("part of the pictures whose class was found", Unit::Percent);
    both(chart, history, |epoch| epoch.accuracy, Summary::accuracy)
}

/// The learning rate at the end of each epoch.
pub fn lr_curve(history: &History) -> Figure {
    let chart = LineChart::new("Learning rate").y("at the end of each epoch", Unit::Plain).from_zero();
    let points = history.epochs.iter().map(|epoch| (number(epoch), f64::from(epoch.lr)));
    chart.x("epoch", Unit::Count).line("rate", points).draw()
}

fn number(epoch: &Epoch) -> f64 {
    (epoch.epoch + 1) as f64
}

/// A line for training, and one for validation where there was any.
fn both(
    chart: LineChart,
    history: &History,
    train: impl Fn(&Epoch) -> f64,
    validation: impl Fn(&Summary) -> f64,
) -> Figure {
    let epochs = &history.epochs;
    let chart = chart.x("epoch", Unit::Count);
    let chart = chart.line("training", epochs.iter().map(|epoch| (number(epoch), train(epoch))));
    let reached: Vec<_> =
        epochs.iter().filter_map(|epoch| Some((number(epoch), validation(epoch.validation.as_ref()?)))).collect();
    let chart = if reached.is_empty() { chart } else { chart.line("validation", reached) };
    chart.draw()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(validated: bool) -> History {
        let epoch = |epoch| {
            let validation = validated.then_some(Summary { loss: 0.75, samples: 4, correct: 3, in_top5: 4 });
            let loss = 1.0 / (1 + epoch) as f32;
            Epoch { loss, accuracy: 0.5, lr: 0.25, validation, ..crate::watch::epoch(epoch, 4) }
        };
        History { epochs: (0..4).map(epoch).collect() }
    }

    #[test]
    fn there_is_a_line_for_what_was_measured() {
        let svg = loss_curve(&history(true)).to_svg();
        assert!(svg.contains(">training 0.250<") && svg.contains(">validation 0.750<"), "{svg}");
        let svg = accuracy_curve(&history(true)).to_svg();
        assert!(svg.contains(">training 50.00\u{202f}%<") && svg.contains(">validation 75.00\u{202f}%<"), "{svg}");
        assert!(!loss_curve(&history(false)).to_svg().contains("validation"));
        assert!(lr_curve(&history(false)).to_svg().contains(">rate 0.250<"));
    }

    #[test]
    fn a_run_without_epochs_has_empty_charts() {
        for figure in [loss_curve, accuracy_curve, lr_curve].map(|draw| draw(&History::default())) {
            assert!(figure.to_svg().contains("no values"));
        }
    }
}
