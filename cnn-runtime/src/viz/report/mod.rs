//! One page that holds all that is to be seen of a run.

mod page;
#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::path::Path;

use ndarray::{ArrayView3, Axis, Ix4};

use self::page::{Section, Table};
use super::axis::Unit;
use super::confusion::{confusion_matrix, name_of};
use super::curves::{accuracy_curve, loss_curve, lr_curve};
use super::graph::{Graph, grouped};
use super::looks::{layer_maps, look};
use super::maps::{MANY, filters};
use super::mistakes::{Mistake, mistake_sheet};
use super::picture::Picture;
use super::svg::{Figure, write_file};
use crate::data::check_output;
use crate::error::Error;
use crate::info::{NetInfo, Role};
use crate::metrics::{Evaluation, argmax};
use crate::network::Network;
use crate::train::History;

/// Convolutions whose filters a report shows, from the first on.
const SHOWN_LAYERS: usize = 2;
/// Most filters of a layer with many channels that a report shows.
const SHOWN_FILTERS: usize = 16;

/// Most maps of a layer that a report shows.
const SHOWN_MAPS: usize = 12;

/// A run as an HTML page: one file that opens in any browser, asks the network for nothing, runs no scripts, and is
/// light or dark as the reader's system is. What was not added is left out.
///
/// ```no_run
/// use cnn_runtime::prelude::*;
/// use cnn_runtime::viz::{Report, mistakes};
///
/// fn write<N: Network>(net: &N, history: &History, test: &impl Dataset) -> Result<(), Error> {
///     let reached = evaluate(net, &mut net.workspace(256), test)?;
///     Report::new("Digits")
///         .setting("optimiser", "SGD, momentum 0.9")
///         .network(N::INFO)
///         .history(history)
///         .evaluation(&reached, &[])?
///         .filters(net)?
///         .mistakes(&mistakes(net, test, 24)?, &[])?
///         .save("run.html")
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Report {
    title: String,
    numbers: Vec<(String, String)>,
    settings: Vec<(String, String)>,
    sections: Vec<Section>,
}

impl Report {
    /// An empty report.
    pub fn new(title: impl Into<String>) -> Self {
        Report { title: title.into(), numbers: Vec::new(), settings: Vec::new(), sections: Vec::new() }
    }

    /// Adds to the table of settings.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Display) -> Self {
        self.settings.push((name.into(), value.to_string()));
        self
    }

    /// Adds to the large numbers at the top.
    #[must_use]
    pub fn number(mut self, name: impl Into<String>, value: impl Display) -> Self {
        self.numbers.push((name.into(), value.to_string()));
        self
    }

    /// Adds the network: its graph and a table of its layers.
    #[must_use]
    pub fn network(self, info: &NetInfo) -> Self {
        let (parameters, macs) = (grouped(info.params as u64), grouped(info.macs));
        let mut table = Table::new(&["name", "layer", "output"], &["parameters", "multiply-accumulates"]);
        for layer in info.layers {
            let output = layer.output.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
            let counts = [grouped(layer.params as u64), grouped(layer.macs)];
            table.row(&[layer.name, layer.text, &output, &counts[0], &counts[1]]);
        }
        table.row(&[info.name, "", "", &parameters, &macs]);
        let report = self.number("parameters", &parameters);
        let graph = Graph::of(info).draw();
        report.with("Network", |section| {
            section.row(|row| {
                row.figure(&graph, "");
                row.table(&table);
            });
        })
    }

    /// Adds how the run went: loss, accuracy and learning rate over the epochs, as curves and as a table.
    #[must_use]
    pub fn history(self, history: &History) -> Self {
        let mut table = Table::new(
            &["epoch"],
            &["learning rate", "loss", "accuracy", "validation loss", "validation accuracy", "images/s", "seconds"],
        );
        for epoch in &history.epochs {
            let seconds = epoch.time.as_secs_f64();
            let validation = epoch.validation.as_ref();
            table.row(&[
                &(epoch.epoch + 1).to_string(),
                &Unit::Plain.show(f64::from(epoch.lr)),
                &Unit::Plain.show(f64::from(epoch.loss)),
                &Unit::Percent.show(epoch.accuracy),
                &validation.map_or(String::new(), |reached| Unit::Plain.show(f64::from(reached.loss))),
                &validation.map_or(String::new(), |reached| Unit::Percent.show(reached.accuracy())),
                &format!("{:.0}", epoch.images as f64 / seconds.max(1e-9)),
                &format!("{seconds:.1}"),
            ]);
        }
        let seconds: f64 = history.epochs.iter().map(|epoch| epoch.time.as_secs_f64()).sum();
        let report = self.number("epochs", history.epochs.len()).number("time of training", format!("{seconds:.1} s"));
        let curves = [loss_curve(history), accuracy_curve(history), lr_curve(history)];
        report.with("Training", |section| {
            section.curves(|row| curves.iter().for_each(|curve| row.figure(curve, "")));
            section.details("Every epoch", |details| details.table(&table));
        })
    }

    /// Adds what the network does with data to test on: the confusion matrix and a table of classes. `names` are the
    /// classes' names; numbers stand for those that are missing.
    ///
    /// # Errors
    /// As of [`confusion_matrix`].
    pub fn evaluation(self, reached: &Evaluation, names: &[String]) -> Result<Self, Error> {
        let confusion = &reached.confusion;
        let matrix = confusion_matrix(confusion, names)?;
        let mut table = Table::new(&["class"], &["samples", "precision", "recall", "F1"]);
        for class in 0..confusion.classes() {
            let part = |value: Option<f64>| value.map_or(String::new(), |value| Unit::Percent.show(value));
            table.row(&[
                &name_of(names, class),
                &confusion.counts().row(class).sum().to_string(),
                &part(confusion.precision(class)),
                &part(confusion.recall(class)),
                &part(confusion.f1(class)),
            ]);
        }
        let mut report = self.number("test accuracy", Unit::Percent.show(reached.accuracy()));
        if confusion.classes() > 10 {
            report = report.number("among the five best", Unit::Percent.show(reached.top5()));
        }
        let report = report.number("test loss", Unit::Plain.show(f64::from(reached.loss)));
        Ok(report.with("Evaluation", |section| {
            section.row(|row| {
                row.figure(&matrix, "");
                row.table(&table);
            });
        }))
    }

    /// Adds the filters of the network's first convolutions that are larger than one pixel.
    ///
    /// # Errors
    /// None for the weights of a network that `cnn!` declares.
    pub fn filters<N: Network>(self, network: &N) -> Result<Self, Error> {
        let mut figures = Vec::new();
        let large = |shape: &[usize]| matches!(shape, [_, _, h, w] if h * w > 1);
        let weights = network.tensors().filter(|(_, tensor)| tensor.role == Role::Weight && large(tensor.shape));
        for (name, tensor) in weights.take(SHOWN_LAYERS) {
            let weight = network.tensor(name)?;
            if let Ok(weight) = weight.view().into_dimensionality::<Ix4>() {
                let many = if matches!(tensor.shape[1], 1 | 3) { MANY } else { SHOWN_FILTERS };
                figures.push(filters(&format!("Filters of {}", name.trim_end_matches(".weight")), weight, many)?);
            }
        }
        Ok(self.with("Filters", |section| {
            section.row(|row| figures.iter().for_each(|figure| row.figure(figure, "")));
        }))
    }

    /// Adds samples that the network takes for something else. `names` are the classes' names.
    ///
    /// # Errors
    /// As of [`mistake_sheet`].
    pub fn mistakes(self, mistakes: &[Mistake], names: &[String]) -> Result<Self, Error> {
        let sheet = mistake_sheet("Samples taken for something else", mistakes, names)?;
        Ok(self.figure("Mistakes", &sheet, ""))
    }

    /// Adds how the network sees a sample (channels, height, width): where it finds the class that it takes the sample
    /// for, and what each layer makes of it. `names` are the classes' names.
    ///
    /// # Errors
    /// [`Error::InputShape`] for a sample of another shape than the network's input, [`Error::DataMismatch`] for one with
    /// another number of channels than 1 or 3, or if the network ends in a map larger than 1x1.
    pub fn sample<N: Network>(self, network: &N, sample: ArrayView3<'_, f32>, names: &[String]) -> Result<Self, Error> {
        check_output(N::INFO)?;
        let batch = sample.insert_axis(Axis(0));
        let class = argmax(network.forward_batch(&mut network.workspace(1), batch)?.row(0));
        let found = network.inspect_class(batch, class)?;
        let title = format!("Taken for {}", name_of(names, class));
        let seen = look(&title, sample, &found, 0)?;
        let layers = layer_maps("Through all layers", &found, 0, SHOWN_MAPS)?;
        Ok(self.figure("A sample", &seen, "").figure("A sample", &layers, ""))
    }

    /// Adds a drawing to the section of this name, which is made if there is none, with a text below it.
    #[must_use]
    pub fn figure(self, section: &str, figure: &Figure, caption: &str) -> Self {
        self.with(section, |section| section.figure(figure, caption))
    }

    /// Adds a picture to the section of this name, which is made if there is none, with a text below it.
    #[must_use]
    pub fn picture(self, section: &str, picture: &Picture, caption: &str) -> Self {
        self.with(section, |section| section.picture(picture, caption))
    }

    /// Adds to the section of this name.
    fn with(mut self, name: &str, add: impl FnOnce(&mut Section)) -> Self {
        let at = match self.sections.iter().position(|section| section.name() == name) {
            Some(at) => at,
            None => {
                self.sections.push(Section::new(name));
                self.sections.len() - 1
            }
        };
        add(&mut self.sections[at]);
        self
    }

    /// The page.
    pub fn to_html(&self) -> String {
        page::page(&self.title, &self.numbers, &self.settings, &self.sections)
    }

    /// Writes the page to a file.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        write_file(path.as_ref(), self.to_html().as_bytes())
    }
}
