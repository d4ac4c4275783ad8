//! A picture file as numbers.
//!
//! `image` decodes PNG and WebP, whose checksums and sizes tell when something is missing. Its JPEGs are lenient: what is
//! missing becomes grey, which a network would learn from. So these are decoded strictly, by the same decoder under it.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat, ImageReader, Limits, LumaA, Rgb, RgbImage, Rgba};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::error::Error;

/// Memory one picture may take decoded, and length of its file at most.
const MAX_BYTES: usize = 1 << 29;
/// Memory any picture may take. Beyond it, a size is only believed of a file that can hold as much.
const CREDIT: usize = 1 << 24;
/// Pixels that one byte of a file makes at most: bits, of which deflate makes at most 1,032 bytes out of one. JPEG makes
/// fewer.
const PER_BYTE: usize = 8 * 1032;
/// Longest side of a picture.
const MAX_SIDE: u16 = u16::MAX;
/// How many times what is kept of a picture the whole of it may be while it is scaled.
const MAX_CUT: u64 = 16;

/// Writes the picture in `path`, scaled and cut to `shape`, over `planes` in CHW order.
pub(super) fn planes<T>(
    path: &Path,
    shape: [usize; 3],
    planes: &mut [T],
    convert: impl Fn(u8) -> T,
) -> Result<(), Error> {
    let bytes = read(path).map_err(|error| Error::Io { path: Some(path.to_owned()), error })?;
    planes_of(&bytes, shape, planes, convert).map_err(|reason| Error::Format { path: Some(path.to_owned()), reason })
}

/// The same of a file in memory. Fails with the reason.
pub(super) fn planes_of<T>(
    bytes: &[u8],
    shape: [usize; 3],
    planes: &mut [T],
    convert: impl Fn(u8) -> T,
) -> Result<(), String> {
    let [c, h, w] = shape;
    assert_eq!(planes.len(), c * h * w, "the image to write is as long as the shape says");
    let sized = fill(&on_white(decode(bytes)?), w as u32, h as u32).into_rgb8();
    for (channel, plane) in planes.chunks_exact_mut(h * w).enumerate() {
        for (value, pixel) in plane.iter_mut().zip(sized.pixels()) {
            *value = convert(if c == 1 { grey(pixel) } else { pixel[channel] });
        }
    }
    Ok(())
}

/// The luma of a colour (Rec. 601), in the arithmetic of PIL's mode `L`, which grey pictures are read as elsewhere.
fn grey(&Rgb([r, g, b]): &Rgb<u8>) -> u8 {
    ((u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471 + (1 << 15)) >> 16) as u8
}

/// A file, or the first [`MAX_BYTES`] of it: no picture within the bound is longer.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Decodes a file, whose kind is told by its contents, within a bound on memory. Fails with the reason.
pub(super) fn decode(bytes: &[u8]) -> Result<DynamicImage, String> {
    let most = bytes.len().saturating_mul(PER_BYTE).saturating_add(CREDIT).min(MAX_BYTES);
    let mut limits = Limits::default();
    limits.max_alloc = Some(most as u64);
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE.into()), Some(MAX_SIDE.into()));
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| error.to_string())?;
    if reader.format() == Some(ImageFormat::Jpeg) {
        return jpeg(bytes, most);
    }
    reader.limits(limits);
    reader.decode().map_err(|error| error.to_string())
}

/// `most` bytes of pixels are believed. Cameras that were held upright store their pictures lying, and say so beside them:
/// such a picture is turned.
fn jpeg(bytes: &[u8], most: usize) -> Result<DynamicImage, String> {
    let side = usize::from(MAX_SIDE);
    let options = DecoderOptions::default().set_strict_mode(true).set_max_width(side).set_max_height(side);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|error| error.to_string())?;
    let (width, height) = decoder.dimensions().ok_or("expected a size in the JPEG header, found none")?;
    if width * height > most / size_of::<Rgb<u8>>() {
        return Err(format!("expected a picture of up to {most} bytes, found {width} x {height} pixels"));
    }
    let pixels = decoder.decode().map_err(|error| error.to_string())?;
    if !has_end(bytes) {
        return Err("expected an end of the image, found the end of the file".into());
    }
    let picture = RgbImage::from_raw(width as u32, height as u32, pixels);
    let mut picture = DynamicImage::from(picture.ok_or("expected three colours, found others")?);
    if let Some(orientation) = decoder.exif().and_then(|said| Orientation::from_exif_chunk(said)) {
        picture.apply_orientation(orientation);
    }
    Ok(picture)
}

/// Whether a JPEG that decodes ends with its last row. Where only some bytes of that are missing, the decoder makes them
/// up. The marker cannot occur in picture data, but in what stands before it, such as a small preview.
fn has_end(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xda;
    const END: [u8; 2] = [0xff, 0xd9];
    let mut rest = &bytes[2..];
    // Segments before the picture data: 0xff, a marker, and the length of what follows, its own two bytes included.
    while let [0xff, marker, high, low, ..] = *rest {
        let length = usize::from(u16::from_be_bytes([high, low]));
        rest = rest.get(if marker == 0xff { 1 } else { 2 + length }..).unwrap_or_default();
        if marker == START_OF_SCAN {
            break;
        }
    }
    rest.windows(2).any(|pair| pair == END)
}

/// A picture scaled to cover `width` x `height` and cut at its centre. One that is far longer than that is cut first: a
/// file of a few hundred bytes, scaled whole, would take gigabytes.
fn fill(picture: &DynamicImage, width: u32, height: u32) -> DynamicImage {
    let [w, h, full_w, full_h] = [width, height, picture.width(), picture.height()].map(u64::from);
    let (across, down) = (full_w * h, full_h * w);
    if across.max(down) <= MAX_CUT * across.min(down) {
        return picture.resize_to_fill(width, height, FilterType::Triangle);
    }
    let (cut_w, cut_h) = (full_w.min(down.div_ceil(h)), full_h.min(across.div_ceil(w)));
    let [x, y, cut_w, cut_h] = [(full_w - cut_w) / 2, (full_h - cut_h) / 2, cut_w, cut_h].map(|pixels| pixels as u32);
    picture.crop_imm(x, y, cut_w, cut_h).resize_exact(width, height, FilterType::Triangle)
}

/// The picture as it looks on white. Before it is scaled: the colour of what is wholly transparent would show at its rim.
fn on_white(picture: DynamicImage) -> DynamicImage {
    let white = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    match picture {
        DynamicImage::ImageLumaA8(mut picture) => {
            picture.pixels_mut().for_each(|LumaA([grey, alpha])| (*grey, *alpha) = (white(*grey, *alpha), 255));
            picture.into()
        }
        picture if picture.color().has_alpha() => {
            let mut picture = picture.into_rgba8();
            for Rgba([colours @ .., alpha]) in picture.pixels_mut() {
                *colours = colours.map(|colour| white(colour, *alpha));
                *alpha = 255;
            }
            picture.into()
        }
        opaque => opaque,
    }
}
