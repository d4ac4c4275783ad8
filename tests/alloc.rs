//! What allocates and how much: nothing in a pass that is warm, and in a workspace what the network's constants say.
//!
//! The allocator of this program counts. It counts for all threads, so there is one test here, which nothing runs beside.

#![allow(unsafe_code)] // a global allocator is unsafe to write

mod nets;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread::{self, ThreadId};
use std::time::Duration;

use cnn_runtime::data::idx::Idx;
use cnn_runtime::data::{
    Augment, Batches, ColourJitter, Dataset, HorizontalFlip, Images, Plan, ReadAhead, ResizedCrop, Rotation,
};
use cnn_runtime::prelude::*;
use cnn_runtime::testing::uniform;
use cnn_runtime::{cnn, warm_threads};
use ndarray::Array4;
use nets::{LeNet5, Residual};
use rand_chacha::ChaCha8Rng;

struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

fn count(bytes: usize) {
    CALLS.fetch_add(1, SeqCst);
    BYTES.fetch_add(bytes, SeqCst);
}

// SAFETY: everything is left to the system's allocator, whose contract is the same.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Number and bytes of the allocations of all threads while `f` runs.
fn allocations<R>(f: impl FnOnce() -> R) -> ((usize, usize), R) {
    let before = (CALLS.load(SeqCst), BYTES.load(SeqCst));
    let result = f();
    ((CALLS.load(SeqCst) - before.0, BYTES.load(SeqCst) - before.1), result)
}

cnn! {
    /// So many weights that threads share the optimiser's step.
    Wide <1x16x16> -> fc(600) -> relu -> fc(10);
}

/// rayon's queue for work from outside of its pools allocates once in 63 entries: as many passes as would show that.
const PASSES: usize = 70;

fn images<N: Network>(n: usize) -> Array4<f32> {
    let [c, h, w] = N::INFO.input;
    Array4::from_shape_vec((n, c, h, w), uniform(1, n * c * h * w)).unwrap()
}

fn passes_allocate_nothing<N: Network>(place: &str, batch: usize) {
    let name = N::INFO.name;
    let mut net = N::new(1);
    let (mut one, mut many, mut train) = (net.workspace(1), net.workspace(batch), net.train_workspace(batch));
    let (image, images) = (N::blank_image(), images::<N>(batch));
    let labels: Vec<usize> = (0..batch).map(|i| i % 10).collect();
    let mut sgd = Sgd::new(1e-3).momentum(0.9).weight_decay(5e-4);
    let check = |what: &str, pass: &mut dyn FnMut(u64)| {
        (0..3).for_each(&mut *pass);
        let (found, ()) = allocations(|| (0..PASSES as u64).for_each(pass));
        assert_eq!(found, (0, 0), "allocations and their bytes in {PASSES} x {what} of {name}, {place}");
    };
    check("forward", &mut |_| {
        net.forward(&mut one, &image);
    });
    check("forward_batch", &mut |_| {
        net.forward_batch(&mut many, images.view()).unwrap();
    });
    check("training step", &mut |seed| {
        net.forward_train(&mut train, images.view(), seed).unwrap();
        train.loss(&SoftmaxCrossEntropy, &labels).unwrap();
        net.backward(&mut train).unwrap();
        sgd.step(&mut net, &train).unwrap();
    });
}

fn all_passes_allocate_nothing(place: &str) {
    passes_allocate_nothing::<LeNet5>(place, 32);
    passes_allocate_nothing::<Residual>(place, 4);
    passes_allocate_nothing::<Wide>(place, 8);
}

/// `const fn`s of a network, and so not in the trait.
type BytesOf = fn(usize) -> usize;

fn workspaces_allocate_what_is_said<N: Network>(infer_bytes: BytesOf, train_bytes: BytesOf) {
    let net = N::new(1);
    for batch in [1, 2, 5, 64] {
        let (found, workspace) = allocations(|| net.workspace(batch));
        assert_eq!(found, (1, infer_bytes(batch)), "workspace({batch}) of {}", N::INFO.name);
        assert_eq!(workspace.bytes(), infer_bytes(batch));
        let ((_, bytes), workspace) = allocations(|| net.train_workspace(batch));
        assert_eq!(bytes, train_bytes(batch), "train_workspace({batch}) of {}", N::INFO.name);
        assert_eq!(workspace.bytes(), train_bytes(batch));
    }
}

/// A header that announces more than memory holds, and a few bytes.
fn a_hostile_file_allocates_next_to_nothing() {
    let header = [&[0, 0, 8, 3][..], &[0, 1, 0, 0], &[0, 0, 255, 255], &[0, 0, 255, 255], &[1; 100]].concat();
    let ((_, bytes), result) = allocations(|| Idx::from_reader(&header[..]));
    assert!(result.unwrap_err().to_string().contains("found 100"));
    assert!(bytes < 10_000, "{bytes} bytes");
}

/// The threads that have read a sample.
static READERS: Mutex<Vec<ThreadId>> = Mutex::new(Vec::new());

/// Notes which thread reads a sample, and leaves that as it is.
struct Watched;

impl Augment for Watched {
    const NAME: &'static str = "watched";

    fn apply(&self, _: &mut [f32], _: [usize; 3], _: &mut ChaCha8Rng) {
        let (mut readers, own) = (READERS.lock().unwrap(), thread::current().id());
        if !readers.contains(&own) {
            readers.push(own);
        }
    }
}

/// Data in memory, read and augmented on threads of their own.
fn reading_ahead_allocates_nothing_per_batch() {
    let images = Images::new([3, 32, 32], vec![7; 2000 * 3072], vec![1; 2000], 10).unwrap();
    let data =
        images.cropped(ResizedCrop::new(28, 28)).unwrap().augmented(Rotation::new(10.0)).augmented(HorizontalFlip);
    let data = data.augmented(ColourJitter::new().brightness(0.4).contrast(0.4).saturation(0.4).hue(0.1));
    let data = data.augmented(Watched);
    let order: Vec<usize> = (0..2000).rev().collect();
    let plan = Plan { order: &order, batch: 20, first: 0, epoch: 0, seed: 0 };
    for workers in [0, 1, 3] {
        READERS.lock().unwrap().clear();
        let read = |batches: &mut Batches<'_>| {
            // A thread allocates as it starts: all have to have read something.
            let mut first = 0;
            while READERS.lock().unwrap().len() < workers.max(1) {
                assert!(batches.next()?.is_some(), "{workers} readers, some of which read nothing");
                first += 1;
                thread::sleep(Duration::from_millis(1));
            }
            let (found, rest) = allocations(|| std::iter::from_fn(|| batches.next().unwrap().map(|_| ())).count());
            assert_eq!((found, first + rest), ((0, 0), 100), "allocations of {workers} readers");
            assert!(rest > 20, "{rest} batches that were watched");
            Ok(())
        };
        ReadAhead::new().workers(workers).run(&data, plan, read).unwrap();
    }
}

#[test]
fn nothing_allocates_that_should_not() {
    // Two threads also where there is one processor.
    rayon::ThreadPoolBuilder::new().num_threads(2).build_global().unwrap();
    // Threads allocate as they start and end: all have started before anything is counted, and none ends before it is.
    let pools = [1, 2].map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap());
    rayon::broadcast(|_| ());
    warm_threads();
    pools.iter().for_each(|pool| pool.install(warm_threads));
    workspaces_allocate_what_is_said::<LeNet5>(LeNet5::infer_bytes, LeNet5::train_bytes);
    workspaces_allocate_what_is_said::<Residual>(Residual::infer_bytes, Residual::train_bytes);
    workspaces_allocate_what_is_said::<Wide>(Wide::infer_bytes, Wide::train_bytes);
    a_hostile_file_allocates_next_to_nothing();
    reading_ahead_allocates_nothing_per_batch();
    all_passes_allocate_nothing("outside of any pool");
    for pool in &pools {
        let place = format!("in a pool of {} threads", pool.current_num_threads());
        pool.install(|| all_passes_allocate_nothing(&place));
    }
}
