//! Folders of labelled pictures in any of the usual layouts.

use std::path::Path;

use cnn_runtime::Error;
use cnn_runtime::data::{Dataset, Header, ImageFiles, Images, Split, cifar, idx};

use crate::Failure;

/// The names of Fashion-MNIST's classes, which its files do not say.
const CLOTHES: [&str; 10] =
    ["T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"];

/// Training and test pictures of the part of Fashion-MNIST that ships with the repository, with the names of its classes.
///
/// # Errors
///
/// When it cannot be read.
pub fn clothes() -> Result<(Images, Images), Error> {
    let read =
        |split| idx::mnist(crate::shipped("fashion-mnist"), split)?.with_class_names(CLOTHES.map(String::from).into());
    Ok((read(Split::Train)?, read(Split::Test)?))
}

/// Training and test pictures out of a folder in one of four layouts, told by what the folder holds:
///
/// - `train-images-idx3-ubyte` and so on: idx files as of Fashion-MNIST;
/// - `data_batch_1.bin` and so on, or `train.bin`: CIFAR-10's binary layout;
/// - `train` and `test` with a folder of pictures per class in each: pictures read in colour at CIFAR-10's size;
/// - `train.csv` and `test.csv`, each a row of names and then a row `path,class` per picture, read the same way.
///
/// Binary files may be gzipped.
///
/// # Errors
///
/// When the folder has none of the layouts, a part of it is missing or broken, or both parts differ in their classes.
pub fn open(folder: &Path) -> Result<(Images, Images), Failure> {
    let holds = |name: &str| folder.join(name).exists() || folder.join(format!("{name}.gz")).exists();
    if holds("train-images-idx3-ubyte") {
        Ok((idx::mnist(folder, Split::Train)?, idx::mnist(folder, Split::Test)?))
    } else if holds("data_batch_1.bin") || holds("train.bin") {
        Ok((cifar::folder(folder, Split::Train)?, cifar::folder(folder, Split::Test)?))
    } else if folder.join("train").is_dir() {
        pictures(folder, |part| ImageFiles::from_folder(folder.join(part), cifar::SHAPE))
    } else if holds("train.csv") {
        let table = |part: &str| folder.join(part).with_extension("csv");
        pictures(folder, |part| ImageFiles::from_csv(table(part), Header::Present, cifar::SHAPE))
    } else {
        let layouts = "train-images-idx3-ubyte (idx), data_batch_1.bin or train.bin (CIFAR), \
                       a folder train with a folder of pictures per class, or a table train.csv";
        Err(format!("{}: expected {layouts}; found none of these", folder.display()).into())
    }
}

/// The pictures in a folder of folders, one per class, cut and scaled to `shape`, for a network of `most` classes.
///
/// # Errors
///
/// When there are no pictures or more classes, or a picture cannot be read.
pub fn of_classes(folder: &Path, shape: [usize; 3], most: usize) -> Result<ImageFiles, Failure> {
    let files = ImageFiles::from_folder(folder, shape)?;
    match files.classes() {
        found if found > most => {
            Err(format!("{}: expected up to {most} classes, found {found}", folder.display()).into())
        }
        _ => Ok(files),
    }
}

/// Both parts of pictures in files, if they have the same classes.
fn pictures(folder: &Path, open: impl Fn(&str) -> Result<ImageFiles, Error>) -> Result<(Images, Images), Failure> {
    let (train, test) = (open("train")?, open("test")?);
    if train.class_names() != test.class_names() {
        let (train, test) = (train.class_names().join(", "), test.class_names().join(", "));
        return Err(format!("{}: classes in train are {train}; in test {test}", folder.display()).into());
    }
    Ok((train.load()?, test.load()?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn idx_files_are_recognised() {
        let (train, test) = open(&crate::shipped("fashion-mnist")).unwrap();
        assert_eq!((train.len(), test.len(), train.shape()), (7_700, 1_500, [1, 28, 28]));
    }

    #[test]
    fn clothes_have_names() {
        let (train, test) = clothes().unwrap();
        assert_eq!((train.len(), test.len(), train.class_names()), (7_700, 1_500, test.class_names()));
        assert_eq!((train.classes(), train.class_names()[9].as_str()), (10, "ankle boot"));
    }

    #[test]
    fn records_of_cifar_are_recognised() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("train.bin"), [[3; 3073], [9; 3073]].concat()).unwrap();
        fs::write(root.path().join("test.bin"), [7; 3073]).unwrap();
        let (train, test) = open(root.path()).unwrap();
        assert_eq!((train.labels(), test.labels(), train.shape()), (&[3, 9][..], &[7][..], [3, 32, 32]));
    }

    #[test]
    fn folders_of_pictures_are_recognised_and_their_classes_compared() {
        let root = tempfile::tempdir().unwrap();
        let photos = crate::shipped("photos");
        let place = |class: &str, photo: &str| {
            let folder = root.path().join(class);
            fs::create_dir_all(&folder).unwrap();
            fs::copy(photos.join(photo), folder.join(photo)).unwrap();
        };
        for (class, photo) in
            [("train/buildings", "china.jpg"), ("train/plants", "flower.jpg"), ("test/plants", "flower.jpg")]
        {
            place(class, photo);
        }
        let error = open(root.path()).unwrap_err().0.to_string();
        assert!(error.contains("classes in train are buildings, plants; in test plants"), "{error}");
        place("test/buildings", "china.jpg");
        let (train, test) = open(root.path()).unwrap();
        assert_eq!((train.labels(), train.shape()), (&[0, 1][..], cifar::SHAPE));
        assert_eq!(train, test);

        fs::rename(root.path().join("train"), root.path().join("both")).unwrap();
        for table in ["train.csv", "test.csv"] {
            let rows = "file,class\nboth/buildings/china.jpg,buildings\nboth/plants/flower.jpg,plants\n";
            fs::write(root.path().join(table), rows).unwrap();
        }
        assert_eq!(open(root.path()).unwrap(), (train, test));
    }

    #[test]
    fn no_more_classes_are_taken_than_a_network_has() {
        let folder = crate::shipped("emoji");
        assert_eq!(of_classes(&folder, [3, 8, 8], 8).unwrap().classes(), 8);
        let error = of_classes(&folder, [3, 8, 8], 7).unwrap_err().0.to_string();
        assert!(error.ends_with("emoji: expected up to 7 classes, found 8"), "{error}");
    }

    #[test]
    fn another_folder_is_refused_with_what_was_expected() {
        let error = open(&crate::shipped("photos")).unwrap_err().0.to_string();
        assert!(error.contains("photos: expected train-images-idx3-ubyte (idx), data_batch_1.bin"), "{error}");
    }
}
