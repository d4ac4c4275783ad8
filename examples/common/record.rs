//! What a training run leaves behind, as the examples' options say.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use cnn_runtime::prelude::*;
use cnn_runtime::viz::{Report, mistakes};
use cnn_runtime::watch::{Log, Progress, TensorBoard};

use crate::Outcome;

/// Samples taken for something else that a page shows.
const MISTAKES: usize = 24;

/// Files that a run writes.
#[derive(Args, Clone, Debug, Default)]
pub struct Record {
    /// Write a page with all that is to be seen of the run to this file
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Write a line for each epoch to this file; its name ends in .csv or .jsonl
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Write what TensorBoard shows to this folder
    #[arg(long, value_name = "FOLDER")]
    tensorboard: Option<PathBuf>,
}

impl Record {
    /// What looks on while the network is trained: a progress bar, and whatever was asked for. The log of a run that
    /// `goes_on` goes on, too.
    ///
    /// # Errors
    ///
    /// When a file cannot be made.
    pub fn callbacks(&self, goes_on: bool) -> Result<(Progress, Option<Log>, Option<TensorBoard>), Error> {
        let open = if goes_on { Log::append } else { Log::create };
        let log = self.log.as_ref().map(open).transpose()?;
        let tensorboard = self.tensorboard.as_ref().map(TensorBoard::create).transpose()?;
        Ok((Progress::new(), log, tensorboard))
    }

    /// Writes the page of a run, if one was asked for; `settings` are names and values.
    ///
    /// # Errors
    ///
    /// When a sample cannot be read or the file cannot be written.
    pub fn report<N: Network>(
        &self,
        net: &N,
        history: &History,
        test: &(impl Dataset + ?Sized),
        settings: &[(&str, String)],
    ) -> Outcome {
        let Some(path) = &self.report else { return Ok(()) };
        let names = test.class_names();
        let reached = evaluate(net, &mut net.workspace(256), test)?;
        let (sample, _) = test.sample(0)?;
        let mut report = Report::new(N::INFO.name);
        for (name, value) in settings {
            report = report.setting(*name, value);
        }
        report
            .evaluation(&reached, names)?
            .history(history)
            .mistakes(&mistakes(net, test, MISTAKES)?, names)?
            .network(N::INFO)
            .filters(net)?
            .sample(net, sample.view(), names)?
            .save(path)?;
        println!("the run is told in {}", path.display());
        Ok(())
    }
}

/// The folder for an example's pictures, made if there is none: `asked`, or `target/pictures`.
///
/// # Errors
///
/// When it cannot be made.
pub fn pictures(asked: Option<&Path>) -> Result<PathBuf, Error> {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pictures");
    let folder = asked.map_or_else(usual, Path::to_owned);
    fs::create_dir_all(&folder).map_err(|error| Error::Io { path: Some(folder.clone()), error })?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use cnn_runtime::data::Images;

    use super::*;

    cnn! { Tiny <1x6x6> -> conv(2, 3x3) -> relu -> fc(3) }

    #[derive(Parser)]
    struct Options {
        #[command(flatten)]
        record: Record,
    }

    #[test]
    fn everything_asked_for_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let [report, log, board] = ["run.html", "run.csv", "board"].map(|name| at(name).display().to_string());
        let options = ["example", "--report", &report, "--log", &log, "--tensorboard", &board];
        let record = Options::parse_from(options).record;
        let data =
            Images::new([1, 6, 6], (0..36 * 9).map(|at| (at * 7) as u8).collect(), vec![0, 1, 2, 0, 1, 2, 0, 1, 2], 3);
        let (mut net, data) = (Tiny::new(1), data.unwrap());
        let mut trainer = Trainer::new(Sgd::new(0.01)).epochs(2).batch(4).validate(&data);
        let history = trainer.fit(&mut net, &data, record.callbacks(false).unwrap()).unwrap();
        record
            .report(&net, &history, &data, &[("seed", "1".into())])
            .map_err(|failure| format!("{failure:?}"))
            .unwrap();
        assert_eq!(fs::read_to_string(&log).unwrap().lines().count(), 3);
        assert_eq!(fs::read_dir(&board).unwrap().count(), 1);
        let page = fs::read_to_string(&report).unwrap();
        assert!(page.contains("<title>Tiny</title>") && page.contains(">Evaluation</h2>"), "{page}");
    }

    #[test]
    fn the_log_of_a_run_that_goes_on_keeps_what_went_before() {
        let folder = tempfile::tempdir().unwrap();
        let [log, run] = ["run.csv", "run.safetensors"].map(|name| folder.path().join(name));
        let record = Record { log: Some(log.clone()), ..Record::default() };
        let data = Images::new([1, 6, 6], vec![7; 36 * 3], vec![0, 1, 2], 3).unwrap();
        let (mut net, trainer) = (Tiny::new(1), |epochs| Trainer::new(Sgd::new(0.01)).epochs(epochs));
        trainer(2).checkpoint(&run).fit(&mut net, &data, record.callbacks(false).unwrap()).unwrap();
        trainer(4).resume(&run).fit(&mut net, &data, record.callbacks(true).unwrap()).unwrap();
        let lines = fs::read_to_string(&log).unwrap();
        let epochs: Vec<_> = lines.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
        assert_eq!(epochs, ["1", "2", "3", "4"]);
    }

    #[test]
    fn nothing_is_written_unasked() {
        let record = Options::parse_from(["example"]).record;
        let (_, log, board) = record.callbacks(false).unwrap();
        assert!(log.is_none() && board.is_none());
    }
}
