use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

/// Samples that say who they are, some of which cannot be read. Counts what is read.
#[derive(Default)]
struct Numbers {
    len: usize,
    /// Floats of a sample.
    width: usize,
    broken: Vec<usize>,
    /// Not a sample's fault.
    misused: Option<usize>,
    panics: Option<usize>,
    pause: Duration,
    reads: AtomicUsize,
}

impl Numbers {
    fn new(len: usize) -> Self {
        Numbers { len, width: 5000, ..Numbers::default() }
    }
}

impl Dataset for Numbers {
    fn len(&self) -> usize {
        self.len
    }

    fn shape(&self) -> [usize; 3] {
        [1, 1, self.width]
    }

    fn classes(&self) -> usize {
        self.len
    }

    fn read(&self, draw: Draw, image: &mut [f32]) -> Result<usize, Error> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        thread::sleep(self.pause);
        let Draw { index, epoch, seed } = draw;
        assert!(self.panics != Some(index), "on purpose");
        if self.broken.contains(&index) {
            return Err(Error::Format { path: Some(format!("{index}.png").into()), reason: "broken".into() });
        }
        if self.misused == Some(index) {
            return Err(Error::InvalidOption { option: "colour", expected: "3 channels", found: "1".into() });
        }
        image.fill(index as f32 + epoch as f32 * 1e3 + seed as f32 * 1e6);
        Ok(index)
    }
}

/// A batch: its number, its labels, its images.
type Seen = (usize, Vec<usize>, Vec<f32>);

fn collect(ahead: &mut ReadAhead, data: &Numbers, plan: Plan<'_>) -> Result<(Vec<Seen>, Vec<usize>), Error> {
    ahead.run(data, plan, |batches| {
        let mut seen = Vec::new();
        while let Some(batch) = batches.next()? {
            assert_eq!(batch.view().dim(), (batch.len(), 1, 1, data.width));
            seen.push((batch.number(), batch.labels().to_vec(), batch.images().to_vec()));
        }
        Ok((seen, batches.take_skipped().into_iter().map(|skipped| skipped.index).collect()))
    })
}

/// All ways to read: no threads, one, more than there are processors; few and many batches ahead.
fn all_ways() -> impl Iterator<Item = ReadAhead> {
    [(0, 1), (1, 1), (1, 4), (3, 1), (7, 3)]
        .into_iter()
        .map(|(workers, depth)| ReadAhead::new().workers(workers).depth(depth))
}

const ORDER: [usize; 11] = [3, 1, 4, 10, 5, 9, 2, 6, 8, 7, 0];

fn plan(batch: usize) -> Plan<'static> {
    Plan { order: &ORDER, batch, first: 0, epoch: 2, seed: 3 }
}

fn labels(seen: &[Seen]) -> Vec<(usize, &[usize])> {
    seen.iter().map(|(number, labels, _)| (*number, &labels[..])).collect()
}

#[test]
fn batches_come_in_order_whoever_reads_them() {
    let data = Numbers::new(11);
    for mut ahead in all_ways() {
        // 5000 floats a sample: pieces of 3, so that a batch of 4 is cut and the last of 3 is not.
        let (seen, _) = collect(&mut ahead, &data, plan(4)).unwrap();
        assert_eq!(labels(&seen), [(0, &ORDER[..4]), (1, &ORDER[4..8]), (2, &ORDER[8..])], "{ahead:?}");
        for (_, labels, images) in &seen {
            assert_eq!(images.len(), labels.len() * 5000);
            for (label, image) in labels.iter().zip(images.chunks(5000)) {
                assert!(image.iter().all(|&value| value == 3_002_000.0 + *label as f32), "sample {label}");
            }
        }
        let (rest, _) = collect(&mut ahead, &data, Plan { first: 1, ..plan(4) }).unwrap();
        assert_eq!(rest, seen[1..], "an epoch taken up again");
        for first in [3, usize::MAX] {
            assert_eq!(collect(&mut ahead, &data, Plan { first, ..plan(4) }).unwrap().0, [], "a finished epoch");
        }
        assert_eq!(collect(&mut ahead, &data, plan(usize::MAX)).unwrap().0.len(), 1);
        assert_eq!(collect(&mut ahead, &data, Plan { order: &[], ..plan(4) }).unwrap().0, []);
    }
}

#[test]
fn augmented_samples_are_the_same_whoever_reads_them() {
    use crate::data::{Arrays, HorizontalFlip, RandomCrop};
    let images = ndarray::Array4::from_shape_fn((50, 2, 30, 40), |(n, c, h, w)| ((n * 7 + c + h * 3 + w) as f32).sin());
    let data =
        Arrays::new(images, (0..50).collect(), 50).unwrap().augmented(RandomCrop::new(4)).augmented(HorizontalFlip);
    let order: Vec<_> = (0..50).map(|i| i * 7 % 50).collect();
    let plan = Plan { order: &order, batch: 16, first: 0, epoch: 1, seed: 5 };
    let read = |mut ahead: ReadAhead| {
        ahead.run(&data, plan, |batches| {
            let mut all = Vec::new();
            while let Some(batch) = batches.next()? {
                all.extend_from_slice(batch.images());
            }
            Ok(all)
        })
    };
    let expected = read(ReadAhead::new().workers(0)).unwrap();
    assert_eq!(expected.len(), 50 * 2 * 30 * 40);
    assert!(all_ways().all(|ahead| read(ahead).unwrap() == expected));
}

#[test]
fn a_bad_sample_fails_its_batch_and_is_named() {
    let data = Numbers { broken: vec![6, 9], ..Numbers::new(11) };
    for mut ahead in all_ways() {
        let mut good = 0;
        let error = ahead.run(&data, plan(2), |batches| {
            while batches.next()?.is_some() {
                good += 1;
            }
            Ok(())
        });
        // Of the third batch, 5 and 9; sample 6 is in the fourth, although it may have been read first.
        assert_eq!((error.unwrap_err().to_string(), good), ("9.png: broken".into(), 2), "{ahead:?}");
    }
}

#[test]
fn bad_samples_are_left_out_and_told() {
    let data = Numbers { broken: vec![3, 9, 2, 6, 5, 7], ..Numbers::new(11) };
    for ahead in all_ways() {
        let (seen, skipped) = collect(&mut ahead.on_bad_sample(OnBadSample::Skip), &data, plan(4)).unwrap();
        // The second batch, 5, 9, 2 and 6, is passed over.
        assert_eq!(labels(&seen), [(0, &[1, 4, 10][..]), (2, &[8, 0])]);
        assert_eq!(skipped, [3, 5, 9, 2, 6, 7]);
        for (_, labels, images) in &seen {
            let firsts: Vec<_> = images.chunks(5000).map(|image| image[4999] - 3_002_000.0).collect();
            assert_eq!(firsts, labels.iter().map(|&label| label as f32).collect::<Vec<_>>());
        }
    }
}

#[test]
fn an_epoch_without_a_good_sample_fails() {
    let data = Numbers { broken: ORDER.to_vec(), ..Numbers::new(11) };
    for ahead in all_ways() {
        let mut ahead = ahead.on_bad_sample(OnBadSample::Skip);
        let whole = collect(&mut ahead, &data, plan(4)).unwrap_err();
        let in_steps = ahead.run(&data, plan(4), |batches| {
            for end in 1..=3 {
                assert!(batches.next_before(end)?.is_none());
                assert_eq!(batches.take_skipped().len(), 4);
            }
            Ok(())
        });
        assert_eq!(whole.to_string(), in_steps.unwrap_err().to_string());
        assert_eq!(
            whole.to_string(),
            "samples that can be read: expected at least one, found none of 11; the first: 3.png: broken"
        );
    }
}

#[test]
fn what_is_not_one_samples_fault_is_never_skipped() {
    let data = Numbers { misused: Some(8), ..Numbers::new(11) };
    for ahead in all_ways() {
        let error = collect(&mut ahead.on_bad_sample(OnBadSample::Skip), &data, plan(4)).unwrap_err();
        assert_eq!(error.to_string(), "colour is 1, expected 3 channels");
    }
    assert!(!OnBadSample::Skip.skips(&Error::other("the database is closed")));
}

#[test]
fn a_panic_reaches_whoever_takes_its_batch() {
    let data = Numbers { panics: Some(8), ..Numbers::new(11) };
    for mut ahead in all_ways() {
        let mut good = 0;
        let take_all = || {
            ahead.run(&data, plan(4), |batches| {
                while batches.next()?.is_some() {
                    good += 1;
                }
                Ok(())
            })
        };
        let panic = std::panic::catch_unwind(AssertUnwindSafe(take_all)).unwrap_err();
        assert_eq!((panic.downcast_ref(), good), (Some(&"on purpose"), 2));
        // Nor does one that nobody takes do harm.
        assert_eq!(collect(&mut ahead, &data, Plan { order: &ORDER[..8], ..plan(4) }).unwrap().0.len(), 2);
        ahead.run(&data, plan(4), |batches| batches.next().map(|_| ())).unwrap();
    }
}

#[test]
fn an_early_end_ends_the_reading() {
    let stop = |how: &dyn Fn(&mut Batches<'_>) -> Result<(), Error>| {
        let data = Numbers { pause: Duration::from_millis(1), width: 1, ..Numbers::new(10_000) };
        let order: Vec<_> = (0..10_000).collect();
        let plan = Plan { order: &order, batch: 100, ..plan(100) };
        // There is room for all of them, and half of it takes more than a second to fill.
        let run = || ReadAhead::new().workers(2).depth(100).run(&data, plan, how);
        let _ = std::panic::catch_unwind(AssertUnwindSafe(run));
        data.reads.into_inner()
    };
    assert!(stop(&|_| Ok(())) < 5000);
    let taken = stop(&|batches| batches.next().map(|_| ()));
    assert!((100..5000).contains(&taken), "{taken}");
    assert!(stop(&|_| panic!("on purpose")) < 5000);
}

#[test]
fn reading_stays_within_its_bound_and_its_memory() {
    let data = Numbers { width: 1, ..Numbers::new(1000) };
    let order: Vec<_> = (0..1000).collect();
    let plan = Plan { order: &order, batch: 10, first: 0, epoch: 0, seed: 0 };
    let mut ahead = ReadAhead::new().workers(3).depth(4);
    let mut places = HashSet::new();
    for _epoch in 0..2 {
        data.reads.store(0, Ordering::SeqCst);
        ahead
            .run(&data, plan, |batches| {
                for taken in 1..=100 {
                    places.insert(batches.next()?.expect("a batch").images().as_ptr());
                    if taken == 2 {
                        let allowed = (taken + 4) * 10;
                        while data.reads.load(Ordering::SeqCst) < allowed {
                            thread::yield_now();
                        }
                        thread::sleep(Duration::from_millis(20));
                        assert_eq!(data.reads.load(Ordering::SeqCst), allowed);
                    }
                }
                Ok(())
            })
            .unwrap();
    }
    assert_eq!(places.len(), 5, "four batches ahead and the one in hand");
    assert_eq!(ahead.bytes([1, 1, 1], 10), (5 * 10 + 3 * 10) * (4 + size_of::<usize>()));
    assert_eq!(ReadAhead::new().workers(0).bytes([3, 224, 224], 8), 8 * (4 * 3 * 224 * 224 + size_of::<usize>()));
}

#[test]
fn a_batch_of_nothing_is_refused() {
    let error = collect(&mut ReadAhead::new(), &Numbers::new(11), plan(0)).unwrap_err();
    assert_eq!(error.to_string(), "batch size is 0, expected at least 1");
}
