//! Files that are either written whole or not at all.

#[cfg(feature = "safetensors")]
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Error;

/// Bytes that go to the operating system at once.
const BUFFER: usize = 1 << 20;

/// Puts what `write` writes in the place of the file at `path`, or makes the file.
///
/// The bytes go to a file of another name in the same folder, reach the disk, and then the file is renamed: whoever
/// reads `path`, also after a power cut, finds the old contents or the new ones and nothing between. If anything
/// fails, the old file is untouched and nothing else is left behind.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), Error> {
    attempt(path, write).map_err(|error| Error::Io { path: Some(path.to_owned()), error })
}

/// Fails as [`replace`] would if no file can be made at `path` or in its folder. Removes what earlier processes that were
/// killed left of files for `path`, which this one alone may write from now on.
#[cfg(feature = "safetensors")]
pub(crate) fn check(path: &Path) -> Result<(), Error> {
    let attempt = || {
        create_beside(path)?;
        if path.is_dir() { Err(ErrorKind::IsADirectory.into()) } else { Ok(()) }
    };
    attempt().map_err(|error| Error::Io { path: Some(path.to_owned()), error })?;
    // They are in nobody's way: that they cannot be listed or removed is no reason not to go on.
    for left in fs::read_dir(folder(path)).into_iter().flatten().flatten() {
        if is_temporary(&left.file_name(), path) {
            let _ = fs::remove_file(left.path());
        }
    }
    Ok(())
}

/// Whether a file is called as [`create_beside`] calls those for `path`.
#[cfg(feature = "safetensors")]
fn is_temporary(name: &OsStr, path: &Path) -> bool {
    let (name, path) = (name.to_string_lossy(), path.file_name().unwrap_or_default().to_string_lossy());
    let told =
        name.strip_prefix('.').and_then(|name| name.strip_prefix(&*path)).and_then(|rest| rest.strip_prefix('.'));
    let numbers = told.and_then(|rest| rest.strip_suffix(".tmp")).and_then(|rest| rest.split_once('-'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.is_some_and(|(process, number)| is_number(process) && is_number(number))
}

fn attempt(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let (file, temporary) = create_beside(path)?;
    let mut writer = BufWriter::with_capacity(BUFFER, file);
    write(&mut writer)?;
    writer.into_inner()?.sync_all()?;
    fs::rename(&temporary.0, path)?;
    // The renaming itself is an entry of the folder, which not all systems let be opened and synced. The file is in its
    // place by now: a failure here is none of replacing it.
    let _ = File::open(folder(path)).and_then(|folder| folder.sync_all());
    Ok(())
}

/// The folder of the file at `path`.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// A file in the folder of `path`, whose name is told from others by this process and a number.
fn create_beside(path: &Path) -> io::Result<(File, Temporary)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "expected a file's name"))?;
    let (folder, name) = (folder(path), name.to_string_lossy());
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".{name}.{}-{number}.tmp", process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            file => return file.map(|file| (file, Temporary(path))),
        }
    }
}

/// Removes the file unless it was renamed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // After renaming there is none, and after a failure that is what gets reported.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_is_made_and_then_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for bytes in [&b"first"[..], b"second, and longer"] {
            replace(&path, |file| file.write_all(bytes)).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_failure_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "old").unwrap();
        let failed = replace(&path, |file| {
            file.write_all(&[7; 3 * BUFFER])?;
            Err(io::Error::other("no more"))
        });
        assert!(failed.unwrap_err().to_string().ends_with("file: no more"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// Nothing but superusers can read it, and so sync it.
    #[cfg(unix)]
    #[test]
    fn a_folder_that_cannot_be_read_can_be_written_to() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let set = |mode| fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
        let path = folder.path().join("file");
        set(0o300);
        let outcome = replace(&path, |file| file.write_all(b"new"));
        set(0o700);
        outcome.unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_and_a_missing_name_are_errors_that_name_the_path() {
        let error = replace("/no/such/folder/file".as_ref(), |_| Ok(())).unwrap_err();
        assert!(error.to_string().starts_with("/no/such/folder/file: "), "{error}");
        assert!(replace("/".as_ref(), |_| Ok(())).is_err());
    }

    #[cfg(feature = "safetensors")]
    #[test]
    fn a_check_fails_as_replacing_would_and_removes_what_killed_ones_left() {
        for path in ["/no/such/folder/file", "/"].map(Path::new) {
            assert_eq!(check(path).unwrap_err().to_string(), replace(path, |_| Ok(())).unwrap_err().to_string());
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(check(folder.path()).is_err(), "a folder in the file's place");
        fs::write(folder.path().join("file"), "old").unwrap();
        let others = [".file.1-.tmp", ".file.tmp", ".file.x-0.tmp", ".files.1-0.tmp", "file.1-0.tmp"];
        let names = others.into_iter().chain([".file.1-0.tmp", ".file.4194304-17.tmp"]);
        names.for_each(|name| fs::write(folder.path().join(name), "left").unwrap());
        check(&folder.path().join("file")).unwrap();
        for name in others {
            fs::remove_file(folder.path().join(name)).unwrap();
        }
        assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
