//! Pictures from files: one alone, or folders of them, one folder per class.

use std::fs;
use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use image::{DynamicImage, ImageReader, Limits, Rgba, RgbaImage};
use ndarray::Array3;
use rayon::prelude::*;

use super::{Dataset, Draw, Images};
use crate::error::Error;

/// Endings of files taken for pictures; others are passed over.
const ENDINGS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];
/// Memory one picture may take to decode.
const MAX_DECODED_BYTES: u64 = 1 << 29;

/// Pictures in a folder per class, decoded as they are read. Classes are the folders in alphabetical order; pictures are
/// scaled to cover the shape asked for and cut at its centre, and read as values from 0 to 1. Transparent ones are laid
/// on white.
///
/// For sets that fit in memory, [`ImageFolder::load`] decodes all of it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFolder {
    shape: [usize; 3],
    classes: Vec<String>,
    files: Vec<(PathBuf, usize)>,
}

impl ImageFolder {
    /// Lists the pictures below `root`, to be read in `shape`: 1 (grey) or 3 channels, height, width.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for another number of channels or a side of 0 or above 65,535, [`Error::Io`] if a folder
    /// cannot be listed, [`Error::Format`] if there is no picture.
    pub fn open(root: impl AsRef<Path>, shape: [usize; 3]) -> Result<Self, Error> {
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
        Ok(ImageFolder { shape, classes, files })
    }

    /// The names of the classes; a label is an index into them.
    pub fn class_names(&self) -> &[String] {
        &self.classes
    }

    /// The picture files with their labels, in the order of the samples.
    pub fn files(&self) -> &[(PathBuf, usize)] {
        &self.files
    }

    /// Decodes all pictures, on all threads, into memory.
    ///
    /// # Errors
    /// [`Error::Format`] naming the first picture that cannot be decoded.
    pub fn load(&self) -> Result<Images, Error> {
        let decoded: Vec<_> = self.files.par_iter().map(|(path, _)| decode(path, self.shape)).collect();
        let mut pixels = Vec::with_capacity(self.files.len() * self.shape.iter().product::<usize>());
        for image in decoded {
            pixels.extend(image?);
        }
        let labels = self.files.iter().map(|&(_, label)| label).collect();
        Images::new(self.shape, pixels, labels, self.classes.len())
    }
}

impl Dataset for ImageFolder {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn shape(&self) -> [usize; 3] {
        self.shape
    }

    fn classes(&self) -> usize {
        self.classes.len()
    }

    fn read(&self, draw: Draw, image: &mut [f32]) -> Result<usize, Error> {
        let (path, label) = &self.files[draw.index];
        let pixels = decode(path, self.shape)?;
        assert_eq!(image.len(), pixels.len(), "the image to write is as long as the shape says");
        for (value, pixel) in image.iter_mut().zip(pixels) {
            *value = f32::from(pixel) / 255.0;
        }
        Ok(*label)
    }
}

/// Reads one picture as [`ImageFolder`] reads each of its own: scaled to cover `shape` (1 or 3 channels, height, width),
/// cut at its centre, as values from 0 to 1.
///
/// # Errors
/// [`Error::InvalidOption`] for another number of channels or a side of 0 or above 65,535, [`Error::Io`] if the file
/// cannot be read, [`Error::Format`] if it is not a picture.
pub fn picture(path: impl AsRef<Path>, shape: [usize; 3]) -> Result<Array3<f32>, Error> {
    check_shape(shape)?;
    let mut picture = Array3::zeros(shape);
    picture.iter_mut().zip(decode(path.as_ref(), shape)?).for_each(|(value, pixel)| *value = f32::from(pixel) / 255.0);
    Ok(picture)
}

fn check_shape(shape: [usize; 3]) -> Result<(), Error> {
    let sides = 1..=usize::from(u16::MAX);
    if matches!(shape[0], 1 | 3) && sides.contains(&shape[1]) && sides.contains(&shape[2]) {
        return Ok(());
    }
    Err(Error::InvalidOption {
        option: "shape of the images",
        expected: "[1 or 3, height, width] with sides from 1 to 65535",
        found: format!("{shape:?}"),
    })
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
    path.is_file() && ENDINGS.contains(&ending.as_str())
}

/// The picture's bytes in CHW order.
fn decode(path: &Path, shape: [usize; 3]) -> Result<Vec<u8>, Error> {
    let picture = open(path)?;
    let [c, h, w] = shape;
    let sized = on_white(picture.resize_to_fill(w as u32, h as u32, FilterType::Triangle));
    let pixels = if c == 1 { sized.into_luma8().into_raw() } else { sized.into_rgb8().into_raw() };
    let mut planes = vec![0; pixels.len()];
    for (position, channels) in pixels.chunks_exact(c).enumerate() {
        for (channel, &value) in channels.iter().enumerate() {
            planes[channel * h * w + position] = value;
        }
    }
    Ok(planes)
}

/// Decodes a file, whose kind is told by its contents, within a bound on memory.
fn open(path: &Path) -> Result<DynamicImage, Error> {
    let io = |error| Error::Io { path: Some(path.to_owned()), error };
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    limits.max_image_width = Some(u16::MAX.into());
    limits.max_image_height = Some(u16::MAX.into());
    let mut reader = ImageReader::open(path).map_err(io)?.with_guessed_format().map_err(io)?;
    reader.limits(limits);
    reader.decode().map_err(|error| Error::Format { path: Some(path.to_owned()), reason: error.to_string() })
}

fn on_white(picture: DynamicImage) -> DynamicImage {
    if !picture.color().has_alpha() {
        return picture;
    }
    let mut white = RgbaImage::from_pixel(picture.width(), picture.height(), Rgba([255; 4]));
    image::imageops::overlay(&mut white, &picture.into_rgba8(), 0, 0);
    white.into()
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::*;

    fn folder() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for class in ["red", "blue"] {
            fs::create_dir(root.path().join(class)).unwrap();
        }
        RgbImage::from_pixel(7, 5, image::Rgb([255, 0, 51])).save(root.path().join("red/a.png")).unwrap();
        RgbaImage::from_pixel(4, 4, Rgba([0, 0, 0, 0])).save(root.path().join("blue/b.PNG")).unwrap();
        fs::write(root.path().join("blue/notes.txt"), "not a picture").unwrap();
        root
    }

    #[test]
    fn classes_are_sorted_and_pictures_scaled() {
        let root = folder();
        let data = ImageFolder::open(root.path(), [3, 2, 2]).unwrap();
        assert_eq!((data.len(), data.classes(), data.class_names()), (2, 2, &["blue".into(), "red".into()][..]));
        let mut image = [f32::NAN; 12];
        assert_eq!(data.read(Draw::of(1), &mut image).unwrap(), 1);
        assert_eq!(image, [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.2, 0.2, 0.2, 0.2]);
        assert_eq!(data.read(Draw::of(0), &mut image).unwrap(), 0);
        assert_eq!(image, [1.0; 12], "transparent pixels are white");
    }

    #[test]
    fn loading_gives_what_reading_gives() {
        let root = folder();
        let data = ImageFolder::open(root.path(), [1, 3, 2]).unwrap();
        let loaded = data.load().unwrap();
        let (mut a, mut b) = ([0.0; 6], [1.0; 6]);
        for index in 0..2 {
            assert_eq!(data.read(Draw::of(index), &mut a).unwrap(), loaded.read(Draw::of(index), &mut b).unwrap());
            assert_eq!(a, b);
        }
    }

    #[test]
    fn a_picture_alone_reads_as_in_its_folder() {
        let root = folder();
        let data = ImageFolder::open(root.path(), [3, 2, 2]).unwrap();
        let alone = picture(root.path().join("red/a.png"), [3, 2, 2]).unwrap();
        let mut image = [0.0; 12];
        data.read(Draw::of(1), &mut image).unwrap();
        assert_eq!(alone.as_slice(), Some(&image[..]));
        assert!(matches!(picture(root.path().join("blue/notes.txt"), [3, 2, 2]), Err(Error::Format { .. })));
        assert!(matches!(picture(root.path().join("red/a.png"), [2, 2, 2]), Err(Error::InvalidOption { .. })));
    }

    #[test]
    fn a_broken_picture_is_named() {
        let root = folder();
        fs::write(root.path().join("red/broken.png"), b"\x89PNG\r\n\x1a\n and then nothing").unwrap();
        let data = ImageFolder::open(root.path(), [3, 2, 2]).unwrap();
        let error = data.load().unwrap_err().to_string();
        assert!(error.contains("broken.png"), "{error}");
        assert!(matches!(data.read(Draw::of(2), &mut [0.0; 12]), Err(Error::Format { .. })));
    }

    #[test]
    fn says_what_is_wrong_with_the_folder_or_the_shape() {
        let empty = tempfile::tempdir().unwrap();
        let message = |shape| ImageFolder::open(empty.path(), shape).unwrap_err().to_string();
        assert!(message([3, 2, 2]).contains("expected a folder per class with jpg, jpeg, png, webp files, found none"));
        assert!(message([2, 2, 2]).contains("is [2, 2, 2], expected [1 or 3, height, width]"));
        assert!(message([3, 0, 2]).contains("sides from 1 to 65535"));
        assert!(matches!(ImageFolder::open(empty.path().join("x"), [3, 2, 2]), Err(Error::Io { .. })));
    }
}
