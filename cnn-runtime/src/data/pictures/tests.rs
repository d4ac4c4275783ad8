use std::fs;
use std::io::Cursor;

use image::{DynamicImage, GrayAlphaImage, GrayImage, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage};

use super::*;
use crate::data::{CentreCrop, HorizontalFlip, Normalize, OnBadSample, Plan, ReadAhead};

fn folder() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for class in ["red", "blue"] {
        fs::create_dir(root.path().join(class)).unwrap();
    }
    RgbImage::from_pixel(7, 5, Rgb([255, 0, 51])).save(root.path().join("red/a.png")).unwrap();
    RgbaImage::from_pixel(4, 4, Rgba([0, 0, 0, 0])).save(root.path().join("blue/b.PNG")).unwrap();
    fs::write(root.path().join("blue/notes.txt"), "not a picture").unwrap();
    root
}

#[test]
fn classes_are_sorted_and_pictures_scaled() {
    let root = folder();
    let data = ImageFiles::from_folder(root.path(), [3, 2, 2]).unwrap();
    assert_eq!((data.len(), data.classes(), data.class_names()), (2, 2, &["blue".into(), "red".into()][..]));
    let mut image = [f32::NAN; 12];
    assert_eq!(data.read(Draw::of(1), &mut image).unwrap(), 1);
    assert_eq!(image, [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.2, 0.2, 0.2, 0.2]);
    assert_eq!(data.read(Draw::of(0), &mut image).unwrap(), 0);
    assert_eq!(image, [1.0; 12], "transparent pixels are white");
}

#[test]
fn what_is_transparent_has_no_colour_that_shows_at_its_rim() {
    let clear = |x: u32| x % 2 == 1;
    let colours = RgbaImage::from_fn(2, 2, |x, _| if clear(x) { Rgba([0; 4]) } else { Rgba([255; 4]) });
    let greys = GrayAlphaImage::from_fn(2, 2, |x, _| if clear(x) { LumaA([0; 2]) } else { LumaA([255; 2]) });
    for picture in [DynamicImage::from(colours), greys.into()] {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        let scaled = picture_from_bytes(&bytes.into_inner(), [3, 1, 1]).unwrap();
        assert_eq!(scaled.as_slice(), Some(&[1.0; 3][..]));
    }
}

#[test]
fn colours_are_as_grey_as_pil_makes_them() {
    let cases = [([255, 0, 0], 76u8), ([0, 255, 0], 150), ([0, 0, 255], 29), ([255; 3], 255), ([10, 200, 77], 129)];
    for (colour, grey) in cases {
        let mut bytes = Cursor::new(Vec::new());
        RgbImage::from_pixel(3, 2, Rgb(colour)).write_to(&mut bytes, ImageFormat::Png).unwrap();
        let picture = picture_from_bytes(&bytes.into_inner(), [1, 1, 1]).unwrap();
        assert_eq!(picture[[0, 0, 0]], f32::from(grey) / 255.0, "{colour:?}");
    }
    for grey in 0..=255 {
        let mut bytes = Cursor::new(Vec::new());
        GrayImage::from_pixel(1, 1, Luma([grey])).write_to(&mut bytes, ImageFormat::Png).unwrap();
        let picture = picture_from_bytes(&bytes.into_inner(), [1, 1, 1]).unwrap();
        assert_eq!(picture[[0, 0, 0]], f32::from(grey) / 255.0);
    }
}

#[test]
fn a_camera_s_picture_stands_upright() {
    // White above black, and, turned to the right as the camera says, black beside white.
    let lying = RgbImage::from_fn(32, 16, |_, y| Rgb([if y < 8 { 255 } else { 0 }; 3]));
    let mut bytes = Cursor::new(Vec::new());
    lying.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
    let bytes = bytes.into_inner();
    let mut said = b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01".to_vec();
    // The tag of the orientation, one number of two bytes, which is 6, and no more tables.
    said.extend(b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0");
    let turned = [&bytes[..2], &said, &bytes[2..]].concat();
    let columns = |bytes: &[u8]| picture_from_bytes(bytes, [1, 4, 2]).unwrap().mapv(|value| value > 0.5);
    assert_eq!(columns(&turned).as_slice().unwrap(), [false, true].repeat(4));
    assert_eq!(columns(&bytes).as_slice().unwrap(), [true, true, true, true, false, false, false, false]);
}

#[test]
fn loading_gives_what_reading_gives() {
    let root = folder();
    let data = ImageFiles::from_folder(root.path(), [1, 3, 2]).unwrap();
    let loaded = data.load().unwrap();
    let (mut a, mut b) = ([0.0; 6], [1.0; 6]);
    for index in 0..2 {
        assert_eq!(data.read(Draw::of(index), &mut a).unwrap(), loaded.read(Draw::of(index), &mut b).unwrap());
        assert_eq!(a, b);
    }
}

#[test]
fn a_sample_leads_back_to_its_file() {
    let root = folder();
    for copy in 1..6 {
        fs::copy(root.path().join("red/a.png"), root.path().join(format!("red/{copy}.png"))).unwrap();
    }
    let files = ImageFiles::from_folder(root.path(), [3, 2, 2]).unwrap();
    let normalize = Normalize::new(&[0.5; 3], &[0.5; 3]).unwrap();
    for data in [&files as &dyn Dataset, &files.load().unwrap()] {
        let (train, test) = data.hold_out(3).unwrap();
        let test = test
            .augmented(HorizontalFlip)
            .cropped(CentreCrop::new(1, 1))
            .unwrap()
            .normalized(normalize.clone())
            .unwrap();
        let [train, test] = [&train as &dyn Dataset, &test]
            .map(|data| (0..data.len()).map(|at| data.source(at).expect("a file").to_owned()).collect::<Vec<_>>());
        let mut both = [&train[..], &test].concat();
        both.sort();
        assert!(both.iter().eq(files.files().iter().map(|(path, _)| path)), "{both:?}");
        assert!(!train.contains(&test[0]));
    }
}

#[test]
fn a_very_long_picture_shows_its_centre() {
    let png = |width, height| {
        let middle = |x, y| Rgb([if (x, y) == (width / 2, height / 2) { 255 } else { 0 }, 0, 255]);
        let mut bytes = Cursor::new(Vec::new());
        RgbImage::from_fn(width, height, middle).write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    };
    for (width, height) in [(1, 65535), (65535, 1)] {
        let picture = picture_from_bytes(&png(width, height), [3, 224, 224]).unwrap();
        let expected = Array3::from_shape_fn((3, 224, 224), |(channel, ..)| if channel == 1 { 0.0 } else { 1.0 });
        assert_eq!(picture, expected);
    }
    // Here, too: scaled to cover, 17 x 3 would be 371,365 x 65,535.
    picture_from_bytes(&png(17, 3), [1, 65535, 1]).unwrap();
}

#[test]
fn a_picture_alone_reads_as_in_its_folder() {
    let root = folder();
    let data = ImageFiles::from_folder(root.path(), [3, 2, 2]).unwrap();
    let alone = picture(root.path().join("red/a.png"), [3, 2, 2]).unwrap();
    let mut image = [0.0; 12];
    data.read(Draw::of(1), &mut image).unwrap();
    assert_eq!(alone.as_slice(), Some(&image[..]));
    assert_eq!(picture_from_bytes(&fs::read(root.path().join("red/a.png")).unwrap(), [3, 2, 2]).unwrap(), alone);
    let error = picture_from_bytes(b"words", [3, 2, 2]).unwrap_err().to_string();
    assert!(error.starts_with("in-memory data: "), "{error}");
    assert!(matches!(picture(root.path().join("blue/notes.txt"), [3, 2, 2]), Err(Error::Format { .. })));
    assert!(matches!(picture(root.path().join("red/a.png"), [2, 2, 2]), Err(Error::InvalidOption { .. })));
}

#[test]
fn a_broken_picture_is_named() {
    let root = folder();
    fs::write(root.path().join("red/broken.png"), b"\x89PNG\r\n\x1a\n and then nothing").unwrap();
    let data = ImageFiles::from_folder(root.path(), [3, 2, 2]).unwrap();
    let error = data.load().unwrap_err().to_string();
    assert!(error.contains("broken.png"), "{error}");
    assert!(matches!(data.read(Draw::of(2), &mut [0.0; 12]), Err(Error::Format { .. })));
}

#[test]
fn says_what_is_wrong_with_the_folder_or_the_shape() {
    let empty = tempfile::tempdir().unwrap();
    let message = |shape| ImageFiles::from_folder(empty.path(), shape).unwrap_err().to_string();
    assert!(message([3, 2, 2]).contains("expected a folder per class with jpg, jpeg, png, webp files, found none"));
    assert!(message([2, 2, 2]).contains("is [2, 2, 2], expected [1 or 3, height, width]"));
    assert!(message([3, 0, 2]).contains("sides from 1 to 65535"));
    assert!(matches!(ImageFiles::from_folder(empty.path().join("x"), [3, 2, 2]), Err(Error::Io { .. })));
}

#[test]
fn hidden_folders_are_passed_over_and_others_walked() {
    let root = folder();
    let path = |name: &str| root.path().join(name);
    for hidden in [".ipynb_checkpoints", "blue/.cache", "red/2023/may"] {
        fs::create_dir_all(path(hidden)).unwrap();
        fs::copy(path("red/a.png"), path(hidden).join("c.png")).unwrap();
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(path("red"), path("red/2023/back")).unwrap();
    let data = ImageFiles::from_folder(root.path(), [3, 2, 2]).unwrap();
    assert_eq!(data.class_names(), ["blue", "red"]);
    let expected =
        [("blue/b.PNG", 0), ("red/a.png", 1), ("red/2023/may/c.png", 1)].map(|(name, label)| (path(name), label));
    assert_eq!(data.files(), expected);

    fs::create_dir(path("green")).unwrap();
    let error = ImageFiles::from_folder(root.path(), [3, 2, 2]).unwrap_err().to_string();
    assert!(error.ends_with("green: expected a class of jpg, jpeg, png, webp files, found none"), "{error}");
}

/// A picture of which every part matters, in each format.
fn encoded() -> Vec<(&'static str, Vec<u8>)> {
    let noise = |x: u32, y: u32, c: u32| (x * 73 + y * 151 + c * 59 + x * y * 31) as u8;
    let picture = DynamicImage::from(RgbImage::from_fn(20, 12, |x, y| Rgb([0, 1, 2].map(|c| noise(x, y, c)))));
    let encode = |(name, format)| {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        (name, bytes.into_inner())
    };
    [("a.jpg", ImageFormat::Jpeg), ("a.png", ImageFormat::Png), ("a.webp", ImageFormat::WebP)].map(encode).into()
}

#[test]
fn a_file_that_is_cut_short_is_never_another_picture() {
    for (name, bytes) in encoded() {
        let whole = decode::decode(&bytes).unwrap();
        for len in 0..bytes.len() {
            if let Ok(picture) = decode::decode(&bytes[..len]) {
                // What is missing need not be part of the picture.
                assert!(picture == whole && len + 16 > bytes.len(), "{name}, {len} of {} bytes", bytes.len());
            }
        }
    }
}

#[test]
fn a_jpegs_preview_does_not_pass_for_its_end() {
    let (_, bytes) = encoded().swap_remove(0);
    let preview = [&[0xff, 0xe1], &(bytes.len() as u16 + 2).to_be_bytes()[..], &bytes].concat();
    let with_preview = [&bytes[..2], &preview, &bytes[2..]].concat();
    let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    fs::write(&path, &with_preview).unwrap();
    picture(&path, [3, 12, 20]).unwrap();
    fs::write(&path, &with_preview[..with_preview.len() - 2]).unwrap();
    let error = picture(&path, [3, 12, 20]).unwrap_err().to_string();
    assert!(error.ends_with("expected an end of the image, found the end of the file"), "{error}");
}

/// Two pictures and files that are none: how many of these there are.
fn with_bad_files() -> (tempfile::TempDir, usize) {
    let root = folder();
    let (_, jpeg) = encoded().swap_remove(0);
    let bad = [
        ("red/text.png", b"these are words".to_vec()),
        ("blue/cut.jpg", jpeg[..jpeg.len() / 2].to_vec()),
        ("red/no.webp", vec![]),
    ];
    for (name, bytes) in &bad {
        fs::write(root.path().join(name), bytes).unwrap();
    }
    (root, bad.len())
}

#[test]
fn bad_files_are_named_or_left_out_and_counted() {
    let (root, bad) = with_bad_files();
    let data = ImageFiles::from_folder(root.path(), [3, 2, 2]).unwrap();
    assert_eq!(data.len(), 2 + bad);
    assert!(data.load().unwrap_err().to_string().contains("cut.jpg"), "the first is named");
    let (images, skipped) = data.load_good().unwrap();
    assert_eq!((images.labels(), images.class_names()), (&[0, 1][..], data.class_names()));
    assert_eq!(images.pixels(1), [255, 255, 255, 255, 0, 0, 0, 0, 51, 51, 51, 51]);
    let named = |skipped: &[Skipped]| -> Vec<_> {
        skipped.iter().map(|Skipped { index, .. }| data.files()[*index].0.file_name().unwrap().to_owned()).collect()
    };
    assert_eq!(named(&skipped), ["cut.jpg", "no.webp", "text.png"]);
    assert!(skipped.iter().all(|bad| bad.to_string().starts_with(&format!("sample {}: ", bad.index))));

    assert_eq!([0, 1].map(|at| images.source(at)), [data.files()[0].0.as_path(), &data.files()[2].0].map(Some));
    let (good, not_read) = (&data).readable().unwrap();
    assert_eq!([0, 1].map(|at| good.source(at)), [0, 1].map(|at| images.source(at)));
    assert_eq!((good.len(), named(&not_read)), (images.len(), named(&skipped)));
    assert_eq!(Normalize::of(&good).unwrap(), Normalize::of(&images).unwrap());
    assert!(Normalize::of(&data).unwrap_err().to_string().contains("cut.jpg"));

    let order: Vec<_> = (0..data.len()).collect();
    let plan = Plan { order: &order, batch: 2, first: 0, epoch: 0, seed: 0 };
    let read = |on_bad| {
        ReadAhead::new().on_bad_sample(on_bad).run(&data, plan, |batches| {
            let mut labels = Vec::new();
            while let Some(batch) = batches.next()? {
                labels.extend_from_slice(batch.labels());
            }
            Ok((labels, named(batches.skipped())))
        })
    };
    assert_eq!(read(OnBadSample::Skip).unwrap(), (vec![0, 1], named(&skipped)));
    assert!(read(OnBadSample::Fail).unwrap_err().to_string().contains("cut.jpg: "));
    fs::remove_file(root.path().join("blue/b.PNG")).unwrap();
    assert!(read(OnBadSample::Fail).unwrap_err().to_string().contains("b.PNG: No such file"));
    fs::remove_file(root.path().join("red/a.png")).unwrap();
    let errors = [data.load_good().unwrap_err(), read(OnBadSample::Skip).unwrap_err(), (&data).readable().unwrap_err()];
    for error in errors {
        let error = error.to_string();
        assert!(error.starts_with("samples that can be read: expected at least one, found none of 5; "), "{error}");
    }
}

#[test]
fn another_parts_classes_give_the_labels() {
    let root = folder();
    let data = ImageFiles::from_folder(root.path(), [1, 1, 1]).unwrap();
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let other = data.clone().with_classes(&names(&["red", "green", "blue"])).unwrap();
    assert_eq!((other.classes(), other.files()[0].1, other.files()[1].1), (3, 2, 0));
    let error = data.with_classes(&names(&["red", "green"])).unwrap_err();
    assert_eq!(error.to_string(), "class of the pictures: expected one of red, green, found blue");
}

#[cfg(feature = "csv")]
mod csv {
    use super::*;

    fn table(root: &tempfile::TempDir, text: impl AsRef<[u8]>, header: Header) -> Result<ImageFiles, Error> {
        let path = root.path().join("table.csv");
        fs::write(&path, text).unwrap();
        ImageFiles::from_csv(path, header, [3, 1, 1])
    }

    #[test]
    fn names_become_classes_in_alphabetical_order() {
        let root = folder();
        let text = "picture,class\nred/a.png,warm\n\"blue/b.PNG\",\"cold, very\"\nno/such.png,warm\n";
        let data = table(&root, text, Header::Present).unwrap();
        assert_eq!((data.len(), data.class_names()), (3, &["cold, very".to_owned(), "warm".to_owned()][..]));
        let mut image = [0.0; 3];
        assert_eq!(data.read(Draw::of(0), &mut image).unwrap(), 1);
        assert_eq!(image, [1.0, 0.0, 0.2]);
        assert_eq!(data.read(Draw::of(1), &mut image).unwrap(), 0);
        let missing = data.read(Draw::of(2), &mut image).unwrap_err();
        assert!(matches!(&missing, Error::Io { path: Some(path), .. } if *path == root.path().join("no/such.png")));
        let (_, skipped) = data.load_good().unwrap();
        assert_eq!(skipped.iter().map(|skipped| skipped.index).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn numbers_are_labels() {
        let root = folder();
        let data = table(&root, "red/a.png,4\r\nblue/b.PNG,0\r\n", Header::Absent).unwrap();
        assert_eq!((data.classes(), data.class_names()[4].as_str()), (5, "4"));
        assert_eq!(data.files().iter().map(|file| file.1).collect::<Vec<_>>(), [4, 0]);
        let mixed = table(&root, "red/a.png,4\nblue/b.PNG,cat\n", Header::Absent).unwrap();
        assert_eq!(mixed.class_names(), ["4", "cat"]);
        let text = "red/a.png,4\r\nblue/b.PNG,0\r\n";
        let streamed = ImageFiles::from_csv_reader(text.as_bytes(), root.path(), Header::Absent, [3, 1, 1]).unwrap();
        assert_eq!(streamed, data);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let root = folder();
        let message = |text: &[u8]| {
            let error = table(&root, text, Header::Present).unwrap_err().to_string();
            error.split_once("table.csv: ").expect("the file's name").1.to_owned()
        };
        assert_eq!(message(b"p,c\na.png,1\nb.png\n"), "line 3: expected `path,class`, found `b.png`");
        assert_eq!(message(b"p,c\na.png,1\n\nb.png,2,3\n"), "line 4: expected `path,class`, found `b.png,2,3`");
        assert_eq!(message(b"p,c\n,1\n"), "line 2: expected `path,class`, found `,1`");
        assert_eq!(message(b"p,c\na.png,\n"), "line 2: expected `path,class`, found `a.png,`");
        assert_eq!(message(b"p,c\n"), "expected a line `path,class` for each picture, found none");
        assert_eq!(message(b"p,c\r\na,1\r\nb,65536\r\n"), "line 3: label 65536 is out of range: expected 0 to 65535");
        assert!(message(b"p,c\na,1\nb,\xff\n").starts_with("line 3: expected UTF-8 text, found "));
        let missing = ImageFiles::from_csv(root.path().join("none.csv"), Header::Present, [3, 1, 1]).unwrap_err();
        assert!(matches!(missing, Error::Io { path: Some(_), .. }), "{missing}");
        assert!(table(&root, "a,b", Header::Absent).is_ok());
        assert!(matches!(
            ImageFiles::from_csv_reader(&b"a,b"[..], "", Header::Absent, [2, 1, 1]),
            Err(Error::InvalidOption { .. })
        ));
    }
}
