//! A folder of pictures per class.

use std::fs;
use std::path::{Path, PathBuf};

use super::{ImageFiles, check_shape};
use crate::error::Error;

/// Endings of files taken for pictures; others are passed over.
const ENDINGS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

impl ImageFiles {
    /// Lists the pictures below `root`, to be read in `shape`: 1 (grey) or 3 channels, height, width. Classes are the
    /// folders in alphabetical order.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for another number of channels or a side of 0 or above 65,535, [`Error::Io`] if a folder
    /// cannot be listed, [`Error::Format`] if there is no picture.
    pub fn from_folder(root: impl AsRef<Path>, shape: [usize; 3]) -> Result<Self, Error> {
        let root = root.as_ref();
        check_shape(shape)?;
        let (mut classes, mut files) = (Vec::new(), Vec::new());
        for folder in entries(root)?.into_iter().filter(|path| path.is_dir()) {
            let pictures = entries(&folder)?.into_iter().filter(|path| is_picture(path));
            files.extend(pictures.map(|path| (path, classes.len())));
            classes.push(folder.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
        if files.is_empty() {
            let reason = format!("expected a folder per class with {} files, found none", ENDINGS.join(", "));
            return Err(Error::Format { path: Some(root.to_owned()), reason });
        }
        Ok(ImageFiles { shape, classes, files })
    }
}

/// What stands in a folder, in alphabetical order.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let list = || fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    let mut paths = list().map_err(|error| Error::Io { path: Some(folder.to_owned()), error })?;
    paths.sort();
    Ok(paths)
}

fn is_picture(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ENDINGS.contains(&ending.as_str()) && !path.is_dir()
}
