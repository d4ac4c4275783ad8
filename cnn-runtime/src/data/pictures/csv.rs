//! A table of picture files and their classes.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord, Trim};

use super::{ImageFiles, check_shape};
use crate::error::Error;

/// Classes that numbers may name, at most. Stops one wrong number from making millions of classes.
const MAX_CLASSES: usize = 1 << 16;

/// Whether the first row of a table says what its columns are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// It does, and is passed over.
    Present,
    /// The first row is a sample.
    Absent,
}

impl ImageFiles {
    /// Lists the pictures in a CSV file of two columns, the path of a picture and its class, to be read in `shape`: 1
    /// (grey) or 3 channels, height, width. Paths are relative to the CSV file's folder.
    ///
    /// If all classes are numbers, they are the labels, from 0 to the highest; otherwise they are names, which become
    /// classes in alphabetical order.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for another number of channels or a side of 0 or above 65,535, [`Error::Io`] if the CSV
    /// file cannot be read, [`Error::Format`] naming the first line that is not as said, or if there is none. Pictures
    /// that are missing come to light when they are read.
    pub fn from_csv(path: impl AsRef<Path>, header: Header, shape: [usize; 3]) -> Result<Self, Error> {
        let path = path.as_ref();
        let table = fs::read(path).map_err(|error| Error::Io { path: Some(path.to_owned()), error })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        files(&table, folder, header, shape).map_err(|error| match error {
            Error::Format { reason, .. } => Error::Format { path: Some(path.to_owned()), reason },
            other => other,
        })
    }

    /// Lists the pictures in a table that is read from a stream; paths in it are relative to `folder`.
    ///
    /// # Errors
    /// As [`from_csv`](ImageFiles::from_csv).
    pub fn from_csv_reader(
        mut reader: impl Read,
        folder: impl AsRef<Path>,
        header: Header,
        shape: [usize; 3],
    ) -> Result<Self, Error> {
        let mut table = Vec::new();
        reader.read_to_end(&mut table).map_err(|error| Error::Io { path: None, error })?;
        files(&table, folder.as_ref(), header, shape)
    }
}

fn files(table: &[u8], folder: &Path, header: Header, shape: [usize; 3]) -> Result<ImageFiles, Error> {
    check_shape(shape)?;
    let invalid = |reason| Error::Format { path: None, reason };
    let rows = rows(table, header).map_err(invalid)?;
    let (classes, labels) = classes(&rows, table).map_err(invalid)?;
    let files = rows.iter().map(|row| folder.join(&row.picture)).zip(labels).collect();
    Ok(ImageFiles { shape, classes, files })
}

struct Row {
    /// The place in the table at which it was looked for.
    start: u64,
    picture: PathBuf,
    class: String,
}

/// The rows of a table, or what is wrong with it.
fn rows(table: &[u8], header: Header) -> Result<Vec<Row>, String> {
    let mut reader =
        ReaderBuilder::new().has_headers(header == Header::Present).flexible(true).trim(Trim::All).from_reader(table);
    let (mut rows, mut record) = (Vec::new(), StringRecord::new());
    while reader.read_record(&mut record).map_err(|error| failed(error, table))? {
        let start = record.position().map_or(0, csv::Position::byte);
        match (record.len(), record.get(0), record.get(1)) {
            (2, Some(picture), Some(class)) if !picture.is_empty() && !class.is_empty() => {
                rows.push(Row { start, picture: picture.into(), class: class.into() });
            }
            _ => {
                let found = record.iter().collect::<Vec<_>>().join(",");
                return Err(format!("line {}: expected `path,class`, found `{found}`", line(table, start)));
            }
        }
    }
    if rows.is_empty() {
        return Err("expected a line `path,class` for each picture, found none".into());
    }
    Ok(rows)
}

/// The names of the classes and the label of each row, or what is wrong with them.
fn classes(rows: &[Row], table: &[u8]) -> Result<(Vec<String>, Vec<usize>), String> {
    if let Ok(labels) = rows.iter().map(|row| row.class.parse::<u64>()).collect::<Result<Vec<_>, _>>() {
        let in_range = |label: u64| usize::try_from(label).ok().filter(|&label| label < MAX_CLASSES);
        let labels = labels.into_iter().zip(rows).map(|(label, row)| {
            in_range(label).ok_or_else(|| {
                let (line, last) = (line(table, row.start), MAX_CLASSES - 1);
                format!("line {line}: label {label} is out of range: expected 0 to {last}")
            })
        });
        let labels = labels.collect::<Result<Vec<_>, _>>()?;
        let count = labels.iter().max().map_or(0, |highest| highest + 1);
        return Ok(((0..count).map(|label| label.to_string()).collect(), labels));
    }
    let names: Vec<String> = rows.iter().map(|row| &row.class).collect::<BTreeSet<_>>().into_iter().cloned().collect();
    let label = |row: &Row| names.binary_search(&row.class).expect("a name of the set");
    let labels = rows.iter().map(label).collect();
    Ok((names, labels))
}

/// What is wrong with a table that is none.
fn failed(error: csv::Error, table: &[u8]) -> String {
    let line = error.position().map_or(1, |position| line(table, position.byte()));
    match error.kind() {
        csv::ErrorKind::Utf8 { err, .. } => format!("line {line}: expected UTF-8 text, found {err}"),
        other => format!("line {line}: {other:?}"),
    }
}

/// The line of the row that is the first from `start` on, counted from 1. Blank lines may stand before it.
fn line(table: &[u8], start: u64) -> usize {
    let start = table.len().min(start as usize);
    let row = table[start..].iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0) + start;
    1 + table[..row].iter().filter(|&&byte| byte == b'\n').count()
}
