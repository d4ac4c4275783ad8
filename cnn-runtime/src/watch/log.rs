//! A file with a line for each epoch.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::{fmt, mem};

use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::error::Error;
use crate::train::{Callback, Epoch, History};

/// One epoch as it stands in the file: the columns of a CSV file, the keys of a JSON line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// Learning rate of the epoch's last step.
    pub lr: f32,
    /// Mean loss over the epoch. In JSON, `null` stands for a number that is not finite.
    #[serde(deserialize_with = "nan_if_null")]
    pub loss: f32,
    /// Part of the images whose class was found in training, from 0 to 1; NaN if every one was left out.
    #[serde(deserialize_with = "nan_if_null")]
    pub accuracy: f64,
    /// Mean loss on the validation data, if there are any.
    pub validation_loss: Option<f32>,
    /// Part of the validation data whose class was found, from 0 to 1.
    pub validation_accuracy: Option<f64>,
    /// Part of the validation data whose class was among the five highest scores, from 0 to 1.
    pub validation_top5: Option<f64>,
    /// Images of the epoch.
    pub images: usize,
    /// Samples that were left out because they could not be read.
    pub skipped: usize,
    /// Seconds the epoch took.
    pub seconds: f64,
}

fn nan_if_null<'de, D: serde::Deserializer<'de>, T: Deserialize<'de> + From<f32>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(T::from(f32::NAN)))
}

impl From<&Epoch> for Row {
    fn from(epoch: &Epoch) -> Self {
        let validation = epoch.validation.as_ref();
        Row {
            epoch: epoch.epoch + 1,
            lr: epoch.lr,
            loss: epoch.loss,
            accuracy: epoch.accuracy,
            validation_loss: validation.map(|reached| reached.loss),
            validation_accuracy: validation.map(|reached| reached.accuracy()),
            validation_top5: validation.map(|reached| reached.top5()),
            images: epoch.images,
            skipped: epoch.skipped.len(),
            seconds: epoch.time.as_secs_f64(),
        }
    }
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Csv,
    JsonLines,
}

impl Format {
    /// The format that the file's name asks for.
    fn of(path: &Path) -> Result<Self, Error> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv") => Ok(Format::Csv),
            Some("jsonl") => Ok(Format::JsonLines),
            _ => {
                let (option, expected) = ("name of the log", "a name that ends in .csv or .jsonl");
                Err(Error::InvalidOption { option, expected, found: path.display().to_string() })
            }
        }
    }

    /// How much of a file stands before its last rows that are of `epoch` or later ones.
    fn before(self, epoch: usize, file: &[u8]) -> usize {
        let told = |line: &[u8]| match self {
            Format::Csv => str::from_utf8(line.split(|&byte| byte == b',').next()?).ok()?.parse().ok(),
            Format::JsonLines => serde_json::from_slice(line).ok().map(|row: Row| row.epoch),
        };
        let lines = file.split_inclusive(|&byte| byte == b'\n').rev();
        let again = lines.take_while(|line| !line.ends_with(b"\n") || told(line).is_some_and(|other| other >= epoch));
        file.len() - again.map(<[u8]>::len).sum::<usize>()
    }

    /// Writes a line and, before it, if it is to have one and the format knows any, the header.
    fn write(self, file: &mut impl Write, header: bool, row: &Row) -> io::Result<()> {
        match self {
            Format::Csv => {
                let mut csv = csv::WriterBuilder::new().has_headers(header).from_writer(file);
                csv.serialize(row).map_err(io::Error::other)?;
                csv.flush()
            }
            Format::JsonLines => {
                serde_json::to_writer(&mut *file, row)?;
                file.write_all(b"\n")
            }
        }
    }
}

/// A callback that adds a line to a file after each epoch, as a [`Row`]. Every line is handed to the operating system
/// at once: a run that ends early keeps what it wrote.
pub struct Log {
    path: PathBuf,
    format: Format,
    file: BufWriter<File>,
    header: bool,
    /// Whether no row was written yet to a file of earlier ones.
    goes_on: bool,
}

impl Log {
    /// A new file in place of any old one: comma-separated values if its name ends in `.csv`, a JSON object per line if
    /// it ends in `.jsonl`.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for another ending, [`Error::Io`] if the file cannot be made.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open(path.as_ref(), OpenOptions::new().write(true).create(true).truncate(true), false)
    }

    /// Goes on with the file of a run that goes on, or makes it. The run may make epochs again that are in the file: that
    /// was cut short, or killed before its checkpoint was written. With its first row, those at the end of the file that
    /// are not of an earlier epoch are removed, as is a last line that has no end.
    ///
    /// # Errors
    /// As of [`create`](Log::create).
    pub fn append(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open(path.as_ref(), OpenOptions::new().write(true).create(true).truncate(false), true)
    }

    fn open(path: &Path, options: &OpenOptions, goes_on: bool) -> Result<Self, Error> {
        let format = Format::of(path)?;
        let file = options.open(path).map_err(|error| Error::Io { path: Some(path.to_owned()), error })?;
        Ok(Log { path: path.to_owned(), format, file: BufWriter::new(file), header: true, goes_on })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn write(&mut self, row: &Row) -> Result<(), Error> {
        self.try_write(row).map_err(|error| Error::Io { path: Some(self.path.clone()), error })
    }

    fn try_write(&mut self, row: &Row) -> io::Result<()> {
        if mem::take(&mut self.goes_on) {
            let end = self.format.before(row.epoch, &fs::read(&self.path)?) as u64;
            self.file.get_ref().set_len(end)?;
            self.file.seek(SeekFrom::Start(end))?;
            self.header = end == 0;
        }
        self.format.write(&mut self.file, self.header, row)?;
        self.header = false;
        self.file.flush()
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("path", &self.path).field("format", &self.format).finish_non_exhaustive()
    }
}

impl<N> Callback<N> for Log {
    fn epoch(&mut self, _: &N, epoch: &Epoch) -> Result<ControlFlow<()>, Error> {
        self.write(&epoch.into())?;
        Ok(ControlFlow::Continue(()))
    }
}

impl History {
    /// Writes all epochs as [`Log`] would have: comma-separated values to a `.csv`, JSON lines to a `.jsonl` file. An old
    /// file is replaced whole, or left as it is if this fails.
    ///
    /// # Errors
    /// As of [`Log::create`] and [`Log::write`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let format = Format::of(path)?;
        atomic::replace(path, |file| {
            self.epochs.iter().enumerate().try_for_each(|(at, epoch)| format.write(file, at == 0, &epoch.into()))
        })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array4;

    use super::*;
    use crate::data::Arrays;
    use crate::network::Network;
    use crate::optim::Sgd;
    use crate::toy::Toy;
    use crate::train::{ByRef, Trainer};
    use crate::watch::epoch;

    fn read_csv(path: &Path) -> Vec<Row> {
        csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect()
    }

    #[test]
    fn every_epoch_is_in_the_file_as_soon_as_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.csv");
        let mut log = Log::create(&path).unwrap();
        for index in 0..3 {
            assert!(log.epoch(&Toy::new(0), &epoch(index, 3)).unwrap().is_continue());
            let rows = read_csv(&path);
            assert_eq!(rows.len(), index + 1);
            assert_eq!(rows[index], Row::from(&epoch(index, 3)));
        }
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("epoch,lr,loss,accuracy,validation_loss,"), "{text}");
        assert!(text.contains("\n1,0.05,0.5,0.75,,,,600,0,1.5\n"), "{text}");
    }

    #[test]
    fn json_lines_hold_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        let history = History { epochs: vec![epoch(0, 2), epoch(1, 2)] };
        history.save(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let rows: Vec<Row> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows, [Row::from(&history.epochs[0]), Row::from(&history.epochs[1])]);
    }

    /// A file that is written in place would change under whoever has it open.
    #[test]
    fn a_history_takes_the_place_of_a_file_in_one_piece() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.csv");
        fs::write(&path, "old").unwrap();
        let mut old = File::open(&path).unwrap();
        History { epochs: vec![epoch(0, 1)] }.save(&path).unwrap();
        assert_eq!(io::read_to_string(&mut old).unwrap(), "old");
        assert_eq!(read_csv(&path).len(), 1);
    }

    #[test]
    fn a_log_goes_on_under_one_header() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.csv");
        for index in 0..2 {
            Log::append(&path).unwrap().write(&Row::from(&epoch(index, 2))).unwrap();
        }
        assert_eq!(read_csv(&path).iter().map(|row| row.epoch).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
    }

    #[test]
    fn epochs_that_are_made_again_stand_in_the_file_once() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["run.csv", "run.jsonl"] {
            let path = folder.path().join(name);
            let append = |epochs: &[usize]| {
                let mut log = Log::append(&path).unwrap();
                epochs.iter().for_each(|&index| log.write(&Row::from(&epoch(index, 4))).unwrap());
            };
            let rows = || match name {
                "run.csv" => read_csv(&path),
                _ => fs::read_to_string(&path).unwrap().lines().map(|row| serde_json::from_str(row).unwrap()).collect(),
            };
            let epochs = || rows().iter().map(|row| row.epoch).collect::<Vec<_>>();
            append(&[0, 1]);
            append(&[1, 2]);
            assert_eq!(epochs(), [1, 2, 3], "{name}");
            // Killed in the middle of a line.
            let torn = fs::read(&path).unwrap();
            fs::write(&path, &torn[..torn.len() - 9]).unwrap();
            append(&[2, 3]);
            assert_eq!(epochs(), [1, 2, 3, 4], "{name}");
            append(&[0]);
            assert_eq!(epochs(), [1], "{name}");
        }
    }

    #[test]
    fn a_log_that_is_lent_looks_on_at_several_runs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.csv");
        let data = Arrays::new(Array4::zeros((4, 1, 2, 3)), vec![0, 1, 2, 0], 3).unwrap();
        let mut log = Log::create(&path).unwrap();
        for epochs in [1, 2] {
            let mut trainer = Trainer::new(Sgd::new(0.1)).epochs(epochs);
            trainer.fit(&mut Toy::new(1), &data, ByRef(&mut log)).unwrap();
        }
        assert_eq!(read_csv(&path).iter().map(|row| row.epoch).collect::<Vec<_>>(), [1, 1, 2]);
    }

    #[test]
    fn numbers_that_are_none_can_be_written_and_read() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["nan.csv", "nan.jsonl"] {
            let path = folder.path().join(name);
            let mut diverged = epoch(0, 1);
            (diverged.loss, diverged.accuracy) = (f32::NAN, f64::NAN);
            History { epochs: vec![diverged] }.save(&path).unwrap();
            let row = match name {
                "nan.csv" => read_csv(&path)[0],
                _ => serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap(),
            };
            assert!(row.loss.is_nan() && row.accuracy.is_nan(), "{row:?}");
        }
    }

    #[test]
    fn the_name_decides_the_format() {
        let error = Log::create("run.txt").unwrap_err().to_string();
        assert_eq!(error, "name of the log is run.txt, expected a name that ends in .csv or .jsonl");
        assert!(matches!(Log::create("no/such/folder/run.csv"), Err(Error::Io { .. })));
    }
}
