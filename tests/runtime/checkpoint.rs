//! Runs that are stopped, killed and taken up again.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use cnn_runtime::data::{Arrays, Draw, RandomCrop};
use cnn_runtime::prelude::*;
use cnn_runtime::weights::Weights;
use ndarray::Array4;
use rand::RngExt;
use rand_chacha::rand_core::SeedableRng;

cnn! {
    #[derive(Clone, Debug, PartialEq)]
    Kept <1x9x7> -> conv(5, 3x3, p1) -> bn -> relu -> pool(2) -> dropout(0.3) -> fc(11) -> relu -> fc(3);

    Wider <1x9x7> -> conv(5, 3x3, p1) -> bn -> relu -> pool(2) -> dropout(0.3) -> fc(12) -> relu -> fc(3);
}

fn data(samples: usize, from: usize) -> Arrays {
    let images = Array4::from_shape_fn((samples, 1, 9, 7), |(n, _, h, w)| {
        (((n + from) * 13 + h * 7 + w * 3) as f32 * 0.41).sin()
    });
    Arrays::new(images, (0..samples).map(|n| (n + from) * 7 / 3 % 3).collect(), 3).unwrap()
}

/// A run in which everything that has a state takes part.
fn trainer<'d>(tests: &'d Arrays) -> Trainer<'d, AdamW> {
    Trainer::new(AdamW::new(2e-3).decay_weights_only())
        .epochs(6)
        .batch(6)
        .accumulate(2)
        .seed(5)
        .schedule(warm_up(3, Plateau::new(2e-3).patience(0)))
        .validate(tests)
        .label_smoothing(0.1)
        .mixup(0.3)
        .clip_norm(2.0)
        .average_weights(0.9)
        .keep_best()
}

/// What a run that never stops ends with. Times differ from run to run and are left out.
fn uninterrupted(tests: &Arrays) -> (Kept, History) {
    let mut net = Kept::new(2);
    let history = trainer(tests).fit(&mut net, &data(50, 0).augmented(RandomCrop::new(1)), ()).unwrap();
    (net, timeless(history))
}

fn timeless(mut history: History) -> History {
    history.epochs.iter_mut().for_each(|epoch| epoch.time = Duration::ZERO);
    history
}

/// Data that cannot be read any more after some samples.
struct Ending<D>(D, AtomicUsize);

impl<D: Dataset> Dataset for Ending<D> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn shape(&self) -> [usize; 3] {
        self.0.shape()
    }

    fn classes(&self) -> usize {
        self.0.classes()
    }

    fn read(&self, draw: Draw, image: &mut [f32]) -> Result<usize, Error> {
        let left = self.1.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map_err(|_| Error::Format { path: None, reason: "the disk is gone".into() })?;
        self.0.read(draw, image)
    }
}

#[test]
fn a_run_taken_up_again_ends_as_if_it_had_never_stopped() {
    let (folder, tests) = (tempfile::tempdir().unwrap(), data(20, 100));
    let expected = uninterrupted(&tests);
    let path = folder.path().join("run.safetensors");
    // Stops in the first epoch, in the middle of others, and near the end.
    for reads in [25, 80, 130, 155, 230, 290] {
        let data = Ending(data(50, 0).augmented(RandomCrop::new(1)), AtomicUsize::new(reads));
        let mut net = Kept::new(2);
        let mut first = trainer(&tests).checkpoint(&path).checkpoint_every(1);
        assert!(first.fit(&mut net, &data, ()).unwrap_err().to_string().contains("the disk is gone"));

        // Nothing of the network that goes on is its own.
        let mut net = Kept::new(77);
        data.1.store(usize::MAX, Ordering::Relaxed);
        let history = trainer(&tests).resume(&path).checkpoint(&path).fit(&mut net, &data, ()).unwrap();
        assert!(net == expected.0, "after {reads} samples");
        assert_eq!(timeless(history), expected.1, "after {reads} samples");
        // Taking up what is over changes nothing.
        let history = trainer(&tests).resume(&path).fit(&mut net, &data, ()).unwrap();
        assert!(net == expected.0);
        assert_eq!(timeless(history), expected.1);
    }
}

#[test]
fn a_checkpoint_holds_weights_under_their_names() {
    let (folder, tests) = (tempfile::tempdir().unwrap(), data(20, 100));
    let path = folder.path().join("run.safetensors");
    let mut net = Kept::new(2);
    trainer(&tests).epochs(1).checkpoint(&path).fit(&mut net, &data(50, 0), ()).unwrap();
    let file = Weights::open(&path).unwrap();
    for name in ["conv1.weight", "bn1.running_var", "mean/conv1.weight", "average/fc2.bias", "best/fc2.bias"] {
        assert!(file.find(name).is_some(), "{name}");
    }
    // One epoch: its average is the best, and what the run ended with.
    for name in ["average/fc2.bias", "best/fc2.bias"] {
        assert_eq!(file.tensor(name).unwrap(), net.tensor("fc2.bias").unwrap());
    }
    assert_ne!(file.tensor("fc2.bias").unwrap(), net.tensor("fc2.bias").unwrap());
}

#[test]
fn another_run_is_refused_with_what_differs() {
    let (folder, tests) = (tempfile::tempdir().unwrap(), data(20, 100));
    let path = folder.path().join("run.safetensors");
    trainer(&tests).epochs(1).checkpoint(&path).fit(&mut Kept::new(2), &data(50, 0), ()).unwrap();
    let message = |trainer: Trainer<'_, AdamW>, samples| {
        let mut net = Kept::new(9);
        let error = trainer.resume(&path).fit(&mut net, &data(samples, 0), ()).unwrap_err().to_string();
        assert_eq!(net, Kept::new(9));
        error
    };
    assert!(message(trainer(&tests).seed(6), 50).contains("seed: expected 6, as this run has it, found 5"));
    assert!(message(trainer(&tests).batch(7), 50).contains("samples of a batch: expected 7"));
    assert!(message(trainer(&tests), 51).contains("samples of the data: expected 51"));
    let error = trainer(&tests).resume(&path).fit(&mut Wider::new(1), &data(50, 0), ()).unwrap_err().to_string();
    assert!(error.contains("run.safetensors: layer 6 of Wider and of Kept: expected fc1 = fc(12) <12>"), "{error}");
    assert!(error.ends_with("found fc1 = fc(11) <11>"), "{error}");
    Kept::new(1).save(folder.path().join("weights.safetensors")).unwrap();
    let error = trainer(&tests).resume(folder.path().join("weights.safetensors"));
    let error = { error }.fit(&mut Kept::new(1), &data(50, 0), ()).unwrap_err().to_string();
    assert!(error.ends_with("expected a checkpoint, found weights"), "{error}");
}

/// Where the killed processes keep their checkpoint.
const PATH: &str = "CNN_TEST_CHECKPOINT";

#[test]
#[ignore = "what `a_killed_run_loses_nothing_but_time` starts and kills"]
fn run_to_be_killed() {
    let path = env::var_os(PATH).expect("a place for the checkpoint");
    let (path, tests) = (Path::new(&path), data(20, 100));
    let mut trainer = trainer(&tests).checkpoint(path).checkpoint_every(1);
    if path.exists() {
        trainer = trainer.resume(path);
    }
    let data = data(50, 0).augmented(RandomCrop::new(1));
    // Slow enough to be killed in the middle.
    let slowly = |_: &Step| thread::sleep(Duration::from_millis(2));
    let mut net = Kept::new(2);
    trainer.fit(&mut net, &data, slowly).unwrap();
    net.save(path.with_extension("done")).unwrap();
}

fn start(path: &Path) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "checkpoint::run_to_be_killed"]).env(PATH, path);
    command.stdout(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_killed_run_loses_nothing_but_time() {
    let (folder, tests) = (tempfile::tempdir().unwrap(), data(20, 100));
    let path = folder.path().join("run.safetensors");
    let written = || fs::metadata(&path).and_then(|file| file.modified()).ok();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
    let mut killed = 0;
    for _ in 0..12 {
        let (before, mut child) = (written(), start(&path));
        // It gets on by a step at least, however slow the machine.
        while written() == before && child.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(rng.random_range(0..15)));
        child.kill().unwrap();
        killed += usize::from(!child.wait().unwrap().success());
        // Whatever stands there is whole.
        Weights::open(&path).unwrap().tensor("conv1.weight").unwrap();
    }
    assert!(killed > 1, "{killed} runs were killed before they ended");
    assert!(start(&path).wait().unwrap().success());
    let mut net = Kept::new(0);
    net.load(path.with_extension("done")).unwrap();
    assert_eq!(net, uninterrupted(&tests).0);
}
