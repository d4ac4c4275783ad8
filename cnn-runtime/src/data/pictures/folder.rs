//! A folder of pictures per class.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{ImageFiles, check_shape};
use crate::error::Error;

/// Endings of files taken for pictures; others are passed over.
const ENDINGS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

impl ImageFiles {
    /// Lists the pictures below `root`, to be read in `shape`: 1 (grey) or 3 channels, height, width. Classes are the
    /// folders in `root` in alphabetical order, and all pictures in one and in the folders below it are of that class.
    /// Folders whose names begin with a dot are passed over.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for another number of channels or a side of 0 or above 65,535, [`Error::Io`] if a folder
    /// cannot be listed, [`Error::Format`] if there is no folder of a class, or naming one without a picture.
    pub fn from_folder(root: impl AsRef<Path>, shape: [usize; 3]) -> Result<Self, Error> {
        let root = root.as_ref();
        check_shape(shape)?;
        let without = |path: &Path, what: &str| {
            let reason = format!("expected {what}{} files, found none", ENDINGS.join(", "));
            Err(Error::Format { path: Some(path.to_owned()), reason })
        };
        let (mut classes, mut files) = (Vec::new(), Vec::new());
        for folder in list(root)?.folders {
            let mut pictures = Vec::new();
            walk(&folder, &mut HashSet::new(), &mut pictures)?;
            if pictures.is_empty() {
                return without(&folder, "a class of ");
            }
            files.extend(pictures.into_iter().map(|path| (path, classes.len())));
            classes.push(name(&folder).into_owned());
        }
        if files.is_empty() {
            return without(root, "a folder per class with ");
        }
        Ok(ImageFiles { shape, classes, files })
    }
}

/// Adds the pictures in a folder and in all below it.
fn walk(folder: &Path, seen: &mut HashSet<PathBuf>, pictures: &mut Vec<PathBuf>) -> Result<(), Error> {
    let real = fs::canonicalize(folder).map_err(|error| Error::Io { path: Some(folder.to_owned()), error })?;
    // A link may lead back to where it stands.
    if !seen.insert(real) {
        return Ok(());
    }
    let Entries { folders, files } = list(folder)?;
    pictures.extend(files.into_iter().filter(|path| is_picture(path)));
    folders.iter().try_for_each(|folder| walk(folder, seen, pictures))
}

/// What stands in a folder, in alphabetical order, without the folders that are hidden.
struct Entries {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

fn list(folder: &Path) -> Result<Entries, Error> {
    let list = || fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    let mut paths = list().map_err(|error| Error::Io { path: Some(folder.to_owned()), error })?;
    paths.sort();
    let (mut folders, files): (Vec<_>, _) = paths.into_iter().partition(|path| path.is_dir());
    folders.retain(|folder| !name(folder).starts_with('.'));
    Ok(Entries { folders, files })
}

fn name(path: &Path) -> Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

fn is_picture(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ENDINGS.contains(&ending.as_str())
}
