use std::collections::HashSet;

use ndarray::Array4;

use super::*;
use crate::data::{Arrays, Normalize, Plan, ReadAhead};
use crate::testing::largest;

const SHAPE: [usize; 3] = [2, 2, 3];

fn shifted(dx: i32, dy: i32) -> Vec<f32> {
    let mut image: Vec<f32> = (1..=12).map(|v| v as f32).collect();
    shift(&mut image, SHAPE, dx, dy);
    image
}

#[test]
fn shift_moves_every_channel_and_fills_with_zeros() {
    assert_eq!(shifted(1, 0), [0., 1., 2., 0., 4., 5., 0., 7., 8., 0., 10., 11.]);
    assert_eq!(shifted(-1, 1), [0., 0., 0., 2., 3., 0., 0., 0., 0., 8., 9., 0.]);
    assert_eq!(shifted(0, -1), [4., 5., 6., 0., 0., 0., 10., 11., 12., 0., 0., 0.]);
    for far in [(3, 0), (0, -2), (i32::MIN, 0), (0, i32::MAX)] {
        assert_eq!(shifted(far.0, far.1), [0.0; 12], "{far:?}");
    }
    shift(&mut [], [0, 5, 5], 1, 1);
}

fn data() -> Arrays {
    let images = Array4::from_shape_fn((64, 1, 5, 7), |(n, _, h, w)| (n * 35 + h * 7 + w + 1) as f32);
    Arrays::new(images, (0..64).collect(), 64).unwrap()
}

fn read(data: &impl Dataset, index: usize, epoch: u64, seed: u64) -> Vec<f32> {
    let mut image = vec![f32::NAN; 35];
    assert_eq!(data.read(Draw { index, epoch, seed }, &mut image).unwrap(), index);
    image
}

#[test]
fn random_crops_are_shifts_up_to_the_padding_and_reach_all_of_them() {
    let crops = data().augmented(RandomCrop::new(1));
    let mut seen = HashSet::new();
    for index in 0..64 {
        let image = read(&crops, index, 0, 1);
        let original = read(&data(), index, 0, 1);
        let (dy, dx) = (-1..=1)
            .flat_map(|dy| (-1..=1).map(move |dx| (dy, dx)))
            .find(|&(dy, dx)| {
                let mut candidate = original.clone();
                shift(&mut candidate, [1, 5, 7], dx, dy);
                candidate == image
            })
            .expect("a shift by at most one pixel");
        seen.insert((dy, dx));
    }
    assert_eq!(seen.len(), 9);
}

#[test]
fn about_half_of_the_images_are_flipped() {
    let flips = data().augmented(HorizontalFlip);
    let flipped = (0..64).filter(|&index| read(&flips, index, 0, 2) != read(&data(), index, 0, 2)).count();
    assert!((20..=44).contains(&flipped), "{flipped} of 64");
    let mirrored = (0..64).map(|i| read(&flips, i, 0, 2)).find(|image| image[0] > image[6]).unwrap();
    assert!(mirrored.chunks(7).all(|row| row.is_sorted_by(|a, b| a > b)));
}

#[test]
fn seed_epoch_and_index_decide() {
    let crops = data().augmented(RandomCrop::new(2)).augmented(HorizontalFlip);
    let run = |epoch, seed| (0..64).map(|index| read(&crops, index, epoch, seed)).collect::<Vec<_>>();
    let backwards: Vec<_> = (0..64).rev().map(|index| read(&crops, index, 3, 4)).rev().collect();
    assert_eq!(run(3, 4), backwards);
    assert_ne!(run(3, 4), run(4, 4));
    assert_ne!(run(3, 4), run(3, 5));
}

/// A picture of `shape` with values from 0 to 1, no two alike.
fn picture([c, h, w]: [usize; 3]) -> Vec<f32> {
    let len = c * h * w;
    (0..len).map(|at| ((at * 7919) % len) as f32 / len as f32).collect()
}

fn rng(index: u64) -> ChaCha8Rng {
    random::stream(3, "test", 0, index)
}

/// What `augment` makes of a picture, in its draw number `index`.
fn changed(augment: &impl Augment, shape: [usize; 3], index: u64) -> Vec<f32> {
    let mut image = picture(shape);
    augment.check(shape).unwrap();
    augment.apply(&mut image, shape, &mut rng(index));
    image
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    let furthest = largest(found.iter().zip(expected).map(|(a, b)| f64::from(a - b)));
    assert!(furthest < 1e-5, "{furthest} apart");
}

#[test]
fn settings_that_change_nothing_leave_the_picture_alone() {
    let shape = [3, 7, 11];
    assert_eq!(changed(&RandomShift::new(0, 0), shape, 0), picture(shape));
    assert_eq!(changed(&RandomCrop::new(0), shape, 0), picture(shape));
    assert_eq!(changed(&Rotation::new(0.0), shape, 0), picture(shape));
    assert_eq!(changed(&Cutout::new(0), shape, 0), picture(shape));
    assert_eq!(changed(&ColourJitter::new(), shape, 0), picture(shape));
    assert_eq!(changed(&PcaLighting::new([[0.5; 3]; 3], [0.0; 3]), shape, 0), picture(shape));
    assert_eq!(changed(&PcaLighting::new([[0.5; 3]; 3], [1.0; 3]).deviation(0.0), shape, 0), picture(shape));
    let data = Arrays::new(Array4::from_shape_vec((1, 3, 7, 11), picture(shape)).unwrap(), vec![0], 1).unwrap();
    let whole = ResizedCrop::new(7, 11).scale(1.0..=1.0).ratio(11.0 / 7.0..=11.0 / 7.0);
    let mut image = vec![f32::NAN; 3 * 7 * 11];
    (&data).cropped(whole).unwrap().read(Draw::of(0), &mut image).unwrap();
    assert_eq!(image, picture(shape));
}

#[test]
fn random_shifts_reach_each_distance_and_no_other() {
    let (shape, original) = ([2, 5, 7], picture([2, 5, 7]));
    let shifts: HashSet<_> = (0..400)
        .map(|index| {
            let image = changed(&RandomShift::new(2, 1), shape, index);
            let matches = |&(dx, dy): &(i32, i32)| {
                let mut expected = original.clone();
                shift(&mut expected, shape, dx, dy);
                expected == image
            };
            (-6..=6).flat_map(|dx| (-4..=4).map(move |dy| (dx, dy))).find(matches).expect("a shift")
        })
        .collect();
    assert_eq!(shifts, (-2..=2).flat_map(|dx| (-1..=1).map(move |dy| (dx, dy))).collect());
}

#[test]
fn quarter_turns_move_whole_pixels() {
    let side = 6;
    for channels in [1, 2, 3] {
        let shape = [channels, side, side];
        let original = picture(shape);
        let at = |channel: usize, y: usize, x: usize| original[(channel * side + y) * side + x];
        let mut turned = original.clone();
        rotate(&mut turned, shape, 90.0);
        let pixels = (0..channels).flat_map(|c| (0..side).flat_map(move |y| (0..side).map(move |x| (c, y, x))));
        // Counter-clockwise: the right edge becomes the top.
        assert_close(&turned, &pixels.map(|(c, y, x)| at(c, x, side - 1 - y)).collect::<Vec<_>>());
        (0..3).for_each(|_| rotate(&mut turned, shape, 90.0));
        assert_close(&turned, &original);
    }
    let shape = [1, 5, 8];
    let mut half = picture(shape);
    rotate(&mut half, shape, -180.0);
    assert_close(&half, &picture(shape).into_iter().rev().collect::<Vec<_>>());
}

#[test]
fn rotations_keep_the_middle_and_bring_zeros_into_the_corners() {
    let shape = [1, 21, 21];
    let angles: Vec<f32> = (0..64)
        .map(|index| {
            let mut image = vec![1.0; 441];
            Rotation::new(45.0).apply(&mut image, shape, &mut rng(index));
            assert!((image[220] - 1.0).abs() < 1e-6 && image.iter().all(|&v| (0.0..=1.0 + 1e-5).contains(&v)));
            image.iter().sum::<f32>() / 441.0
        })
        .collect();
    // A square turned by 45 degrees keeps 83 % of itself inside.
    assert!(angles.iter().all(|&part| part > 0.8) && angles.iter().any(|&part| part < 0.86), "{angles:?}");
    for degrees in [-1.0, 180.5, f32::NAN] {
        let error = Rotation::new(degrees).check(shape).unwrap_err().to_string();
        assert!(error.starts_with("degrees of a rotation is"), "{error}");
    }
}

#[test]
fn resized_crops_have_the_area_and_proportions_asked_for() {
    let crop = ResizedCrop::new(24, 24).scale(0.2..=0.9).ratio(0.5..=2.0);
    let (mut areas, mut places) = (Vec::new(), HashSet::new());
    for index in 0..2000 {
        let Window { top, left, height, width } = crop.window([100, 140], &mut rng(index));
        assert!(top + height <= 100 && left + width <= 140);
        let (area, ratio) = ((height * width) as f64 / 14_000.0, width as f64 / height as f64);
        // A side is rounded to whole pixels.
        assert!((0.19..=0.91).contains(&area) && (0.48..=2.06).contains(&ratio), "{area}, {ratio}");
        areas.push(area);
        places.insert((top, left));
    }
    let part = |range: std::ops::Range<f64>| areas.iter().filter(|&area| range.contains(area)).count();
    // Large ones fit less often, small ones always: their areas are uniform.
    let (low, middle) = (part(0.2..0.3), part(0.3..0.4));
    assert!(low > 230 && low.abs_diff(middle) < 100 && part(0.8..0.9) > 50, "{low}, {middle} of 2000");
    assert!(places.len() > 1000);
}

#[test]
fn resized_crops_come_out_of_any_picture() {
    for from in [[1, 1], [1, 1000], [1000, 1], [3, 2], [50, 4]] {
        for crop in [ResizedCrop::new(8, 8), ResizedCrop::new(8, 8).scale(1.0..=1.0).ratio(3.0..=3.0)] {
            for index in 0..50 {
                let Window { top, left, height, width } = crop.window(from, &mut rng(index));
                assert!(height > 0 && width > 0 && top + height <= from[0] && left + width <= from[1], "{from:?}");
            }
        }
    }
    let flat = Arrays::new(Array4::from_elem((4, 2, 9, 31), 0.7), vec![0; 4], 1).unwrap();
    let crops = flat.cropped(ResizedCrop::new(13, 5)).unwrap();
    assert_eq!(crops.shape(), [2, 13, 5]);
    let mut image = [f32::NAN; 130];
    for index in 0..4 {
        crops.read(Draw::of(index), &mut image).unwrap();
        assert_close(&image, &[0.7; 130]);
    }
}

#[test]
fn crops_at_their_own_size_are_parts_of_the_picture() {
    let data = Arrays::new(Array4::from_shape_vec((1, 2, 5, 6), picture([2, 5, 6])).unwrap(), vec![0], 1).unwrap();
    let part = |top: usize, left: usize| -> Vec<f32> {
        let whole = data.images();
        let pixels = (0..2).flat_map(|c| (0..4).flat_map(move |y| (0..3).map(move |x| (c, y, x))));
        pixels.map(|(c, y, x)| whole[[0, c, top + y, left + x]]).collect()
    };
    let mut image = vec![f32::NAN; 24];
    (&data).cropped(CentreCrop::new(4, 3)).unwrap().read(Draw::of(0), &mut image).unwrap();
    assert_eq!(image, part(0, 1));
    let windows = (&data).cropped(WindowCrop::new(4, 3)).unwrap();
    let places: HashSet<_> = (0..200)
        .map(|epoch| {
            windows.read(Draw { index: 0, epoch, seed: 1 }, &mut image).unwrap();
            let place = (0..2).flat_map(|top| (0..4).map(move |left| (top, left)));
            place.clone().find(|&(top, left)| part(top, left) == image).expect("a part")
        })
        .collect();
    assert_eq!(places.len(), 8);
}

#[test]
fn crops_that_do_not_fit_are_refused() {
    let message = |data: Arrays, size: [usize; 2]| {
        data.cropped(WindowCrop::new(size[0], size[1])).err().map(|error| error.to_string())
    };
    assert_eq!(
        message(data(), [6, 7]).as_deref(),
        Some("height and width of a crop: expected up to [5, 7], the images', found [6, 7]")
    );
    assert!(message(data(), [0, 7]).is_some_and(|text| text.contains("a height and a width of at least 1")));
    assert!(message(data(), [5, 7]).is_none());
    for crop in [
        ResizedCrop::new(4, 4).scale(0.0..=1.0),
        ResizedCrop::new(4, 4).scale(0.5..=1.5),
        ResizedCrop::new(4, 4).scale(0.6..=0.5),
        ResizedCrop::new(4, 4).ratio(-1.0..=1.0),
        ResizedCrop::new(4, 4).ratio(1.0..=f64::INFINITY),
        ResizedCrop::new(4, 4).ratio(f64::NAN..=1.0),
    ] {
        assert!(matches!(data().cropped(crop), Err(Error::InvalidOption { .. })));
    }
    assert!(data().cropped(ResizedCrop::new(usize::MAX, 2)).is_err());
}

#[test]
fn colours_change_as_their_names_say() {
    let shape = [3, 5, 7];
    let after = |adjust: fn(&mut [f32], f32), factor| {
        let mut image = picture(shape);
        adjust(&mut image, factor);
        image
    };
    assert_eq!(after(colour::adjust_brightness, 0.0), [0.0; 105]);
    let grey = after(colour::adjust_contrast, 0.0);
    assert!(grey.iter().all(|&value| value == grey[0] && (0.3..0.7).contains(&value)));
    let faded = after(colour::adjust_saturation, 0.0);
    assert_eq!((&faded[..35], &faded[35..70]), (&faded[35..70], &faded[70..]));
    assert_eq!(after(colour::adjust_brightness, 1.0), picture(shape));
    assert_eq!(after(colour::adjust_contrast, 1.0), picture(shape));
    assert_eq!(after(colour::adjust_saturation, 1.0), picture(shape));
    assert_close(&after(colour::adjust_hue, 0.0), &picture(shape));
    // A third of the circle: red becomes green, green blue, blue red.
    assert_close(&after(colour::adjust_hue, 1.0 / 3.0), &[&picture(shape)[70..], &picture(shape)[..70]].concat());
}

#[test]
fn jitter_stays_in_its_range_and_fills_it() {
    let shape = [3, 2, 2];
    let factors: Vec<f32> = (0..500)
        .map(|index| {
            let mut image = vec![0.5; 12];
            ColourJitter::new().brightness(0.4).apply(&mut image, shape, &mut rng(index));
            image[0] / 0.5
        })
        .collect();
    assert!(factors.iter().all(|factor| (0.6..1.4).contains(factor)));
    let mean = factors.iter().sum::<f32>() / 500.0;
    assert!((mean - 1.0).abs() < 0.04, "{mean}");
    assert!(factors.iter().any(|&factor| factor < 0.65) && factors.iter().any(|&factor| factor > 1.35));
    let all = ColourJitter::new().brightness(2.0).contrast(2.0).saturation(2.0).hue(0.5);
    assert!((0..50).all(|index| changed(&all, shape, index).iter().all(|value| (0.0..=1.0).contains(value))));
    for wrong in [ColourJitter::new().contrast(-0.1), ColourJitter::new().hue(0.6), ColourJitter::new().hue(f32::NAN)] {
        assert!(matches!(wrong.check(shape), Err(Error::InvalidOption { .. })));
    }
}

#[test]
fn colour_without_colours_is_an_error() {
    let message = |data: &dyn Dataset| data.read(Draw::of(0), &mut [0.0; 35]).unwrap_err().to_string();
    let expected = "channels of the images whose colour is changed: expected 3: red, green and blue, found 1";
    assert_eq!(message(&data().augmented(ColourJitter::new())), expected);
    assert_eq!(message(&data().augmented(PcaLighting::new([[1.0; 3]; 3], [1.0; 3]))), expected);
    assert_eq!(PcaLighting::of(&data()).unwrap_err().to_string(), expected);
}

#[test]
fn light_goes_along_the_components_as_far_as_the_data_vary() {
    let components = [[0.6, 0.8, 0.0], [0.0, 0.0, 1.0], [-0.8, 0.6, 0.0]];
    let lighting = PcaLighting::new(components, [2.0, 0.5, 0.0]);
    let shape = [3, 3, 5];
    let (mut first, mut second) = (0.0, 0.0);
    for index in 0..1000 {
        let light: Vec<f32> = changed(&lighting, shape, index).iter().zip(picture(shape)).map(|(a, b)| a - b).collect();
        let by = [light[0], light[15], light[30]];
        assert!(light.chunks(15).zip(by).all(|(plane, by)| plane.iter().all(|v| (v - by).abs() < 1e-5)));
        let along = |component: [f32; 3]| component.iter().zip(by).map(|(a, b)| a * b).sum::<f32>();
        assert!(along(components[2]).abs() < 1e-5);
        first += along(components[0]).powi(2);
        second += along(components[1]).powi(2);
    }
    // Variances of 2 and 0.5, times a deviation of 0.1.
    let [first, second] = [first, second].map(|sum| (sum / 1000.0).sqrt());
    assert!((first - 0.2).abs() < 0.02 && (second - 0.05).abs() < 0.005, "{first}, {second}");
    for deviation in [-0.1, f32::NAN, f32::INFINITY] {
        assert!(matches!(lighting.deviation(deviation).check(shape), Err(Error::InvalidOption { .. })));
    }
}

#[test]
fn light_that_is_not_finite_is_an_error() {
    for bad in [f32::NAN, f32::INFINITY] {
        let mut images = Array4::zeros((2, 3, 4, 4));
        images[[1, 2, 0, 3]] = bad;
        let error = PcaLighting::of(&Arrays::new(images, vec![0; 2], 1).unwrap()).unwrap_err().to_string();
        assert!(error.starts_with("variances of the data's colours: expected finite numbers, found ["), "{error}");
        for lighting in [PcaLighting::new([[bad; 3]; 3], [1.0; 3]), PcaLighting::new([[1.0; 3]; 3], [bad, 1.0, 1.0])] {
            assert!(matches!(lighting.check([3, 4, 4]), Err(Error::InvalidOption { .. })));
        }
    }
}

#[test]
fn components_are_those_of_the_data() {
    // Colours along (1, 2, 2) with a deviation of 3 and along (2, 1, -2) with one of 1.
    let images = Array4::from_shape_fn((40, 3, 4, 4), |(n, c, h, w)| {
        let a = if (n + h) % 2 == 0 { 3.0 } else { -3.0 };
        let b = if w % 2 == 0 { 1.0 } else { -1.0 };
        0.5 + (a * [1.0, 2.0, 2.0][c] + b * [2.0, 1.0, -2.0][c]) / 3.0
    });
    let lighting = PcaLighting::of(&Arrays::new(images, vec![0; 40], 1).unwrap()).unwrap();
    assert_close(lighting.variances(), &[9.0, 1.0, 0.0]);
    for (component, expected) in lighting.components().iter().zip([[1.0, 2.0, 2.0], [2.0, 1.0, -2.0], [2.0, -2.0, 1.0]])
    {
        let along: f32 = component.iter().zip(expected).map(|(a, b)| a * b / 3.0).sum();
        assert!((along.abs() - 1.0).abs() < 1e-5, "{component:?}");
    }
}

#[test]
fn cutouts_hide_a_square_of_every_channel() {
    let shape = [2, 12, 16];
    for side in [1, 4, 5, 40] {
        let mut hidden = Vec::new();
        for index in 0..300 {
            let mut image = vec![1.0; 2 * 12 * 16];
            Cutout::new(side).apply(&mut image, shape, &mut rng(index));
            assert_eq!(image[..192], image[192..]);
            let holes: Vec<_> = (0..192).filter(|&at| image[at] == 0.0).map(|at| (at / 16, at % 16)).collect();
            let rows = holes.iter().map(|hole| hole.0).collect::<HashSet<_>>().len();
            let columns = holes.iter().map(|hole| hole.1).collect::<HashSet<_>>().len();
            assert_eq!(holes.len(), rows * columns, "a rectangle");
            hidden.push(holes.len());
        }
        let side = usize::from(side);
        // At most all of it; at least the quarter of one in a corner.
        assert_eq!(*hidden.iter().max().unwrap(), side.min(12) * side.min(16));
        assert!(hidden.iter().all(|&count| count >= side.div_ceil(2).min(12) * side.div_ceil(2).min(16)), "{hidden:?}");
        let whole = hidden.iter().filter(|&&count| count == side * side).count();
        let expected = 300 * 12usize.saturating_sub(side - 1) * 16usize.saturating_sub(side - 1) / 192;
        assert!(whole.abs_diff(expected) < 40, "{whole} whole squares of side {side}, expected about {expected}");
    }
}

#[test]
fn a_whole_chain_depends_on_nothing_but_seed_epoch_and_index() {
    let images =
        Array4::from_shape_fn((40, 3, 20, 24), |(n, c, h, w)| ((n * 7 + c * 5 + h * 3 + w) % 17) as f32 / 16.0);
    let data = Arrays::new(images, (0..40).collect(), 40).unwrap();
    let normalize = Normalize::of(&data).unwrap();
    let chain = (&data)
        .cropped(ResizedCrop::new(16, 16))
        .unwrap()
        .augmented(HorizontalFlip)
        .augmented(Rotation::new(20.0))
        .augmented(RandomShift::new(2, 2))
        .augmented(ColourJitter::new().brightness(0.4).contrast(0.4).saturation(0.4).hue(0.1))
        .augmented(PcaLighting::of(&data).unwrap())
        .normalized(normalize)
        .unwrap()
        .augmented(Cutout::new(4));
    let read = |order: &[usize], workers, epoch| {
        let plan = Plan { order, batch: 7, first: 0, epoch, seed: 9 };
        let mut samples = vec![Vec::new(); 40];
        let run = ReadAhead::new().workers(workers).run(&chain, plan, |batches| {
            while let Some(batch) = batches.next()? {
                for (image, &label) in batch.view().outer_iter().zip(batch.labels()) {
                    samples[label] = image.iter().copied().collect();
                }
            }
            Ok(())
        });
        run.unwrap();
        samples
    };
    let (forward, backward): (Vec<_>, Vec<_>) = (0..40).map(|index| (index, 39 - index)).unzip();
    let expected = read(&forward, 0, 0);
    for (workers, order) in [(1, &forward), (3, &forward), (4, &backward)] {
        assert!(read(order, workers, 0) == expected, "{workers} threads");
    }
    let again = read(&forward, 2, 1);
    assert!((0..40).all(|index| again[index] != expected[index]), "another epoch, other changes");
}
