use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::data::Arrays;
use crate::metrics;
use crate::optim::{Adam, AdamW, Sgd};
use crate::toy::Toy;
use crate::train::tests::{columns, contrary};
use crate::train::{Cosine, Epoch, History, Monitor, Plateau, Step, Trainer};
use crate::weights::Loader;

fn trainer<'d, O: Optimizer>(optimizer: O) -> Trainer<'d, O> {
    Trainer::new(optimizer).epochs(2).batch(8).seed(1)
}

/// A folder with the checkpoint of a run.
fn written<O: Optimizer>(trainer: Trainer<'_, O>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    trainer.checkpoint(&path).fit(&mut Toy::new(1), &columns(20), ()).unwrap();
    (folder, path)
}

fn whole<O: Optimizer>(mut trainer: Trainer<'_, O>) -> (Toy, History) {
    let mut net = Toy::new(1);
    let history = trainer.fit(&mut net, &columns(20), ()).unwrap();
    (net, history)
}

fn resumed<O: Optimizer>(trainer: Trainer<'_, O>, path: &Path) -> (Toy, History) {
    let mut net = Toy::new(9);
    let history = trainer.resume(path).fit(&mut net, &columns(20), ()).unwrap();
    (net, history)
}

/// Why the run cannot be taken up. The network stays as it is.
fn refusal<O: Optimizer>(optimizer: O, path: &Path) -> String {
    let mut net = Toy::new(9);
    let error = trainer(optimizer).epochs(3).resume(path).fit(&mut net, &columns(20), ()).unwrap_err().to_string();
    assert_eq!(net, Toy::new(9), "{error}");
    error
}

/// Writes the file anew as it was before there were these entries of its record.
fn without(path: &Path, entries: &[&str]) {
    rewrite(path, |record| entries.iter().for_each(|entry| drop(record.as_object_mut().unwrap().remove(*entry))));
}

/// Writes the file anew with another record.
fn rewrite(path: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let file = Weights::open(path).unwrap();
    let mut record: serde_json::Value = serde_json::from_str(&file.metadata()[RUN]).unwrap();
    change(&mut record);
    let values: Vec<_> = file.tensors().map(|entry| file.tensor(entry.name()).unwrap()).collect();
    let tensors = file.tensors().zip(&values);
    let tensors =
        tensors.map(|(entry, values)| Tensor::floats(entry.name(), entry.shape(), values.as_slice().unwrap()));
    let tensors: Vec<_> = tensors.collect();
    weights::write_safetensors(path, &BTreeMap::from([(RUN.to_owned(), record.to_string())]), &tensors).unwrap();
}

#[test]
fn another_optimiser_is_refused_before_anything_changes() {
    let (_rolling, rolling) = written(trainer(Sgd::new(0.05).momentum(0.9)));
    let (_plain, plain) = written(trainer(Sgd::new(0.05)));
    let (_adam, adam) = written(trainer(Adam::new(1e-3)));
    for path in [&rolling, &plain] {
        let error = refusal(Adam::new(1e-3), path);
        assert!(error.ends_with("run.safetensors: optimiser: expected Adam, as this run has it, found Sgd"), "{error}");
    }
    assert!(refusal(AdamW::new(1e-3), &adam).contains("optimiser: expected AdamW"));
    let buffers = |expected, found| {
        format!("run.safetensors: buffers of the optimiser: expected {expected}, as this run has it, found {found}")
    };
    let error = refusal(Sgd::new(0.05), &rolling);
    assert!(error.ends_with(&buffers("none", "velocity")), "{error}");
    let error = refusal(Sgd::new(0.05).momentum(0.9), &plain);
    assert!(error.ends_with(&buffers("velocity", "none")), "{error}");
    // How much of its memory a rule keeps may change.
    resumed(trainer(Sgd::new(0.05).momentum(0.5)).epochs(3), &rolling);
}

#[test]
fn a_rule_in_a_box_is_the_rule() {
    let boxed = |rule: AdamW| Box::new(rule) as Box<dyn Optimizer>;
    let (_folder, path) = written(trainer(boxed(AdamW::new(1e-3))));
    let adam: Box<dyn Optimizer> = Box::new(Adam::new(1e-3));
    assert!(refusal(adam, &path).ends_with("optimiser: expected Adam, as this run has it, found AdamW"));
    let expected = whole(trainer(AdamW::new(1e-3)).epochs(3)).0;
    assert_eq!(resumed(trainer(AdamW::new(1e-3)).epochs(3), &path).0, expected);
    assert_eq!(resumed(trainer(boxed(AdamW::new(1e-3))).epochs(3), &path).0, expected);
}

#[test]
fn a_file_that_does_not_name_its_optimiser_is_judged_by_its_buffers() {
    let sgd = || Sgd::new(0.05).momentum(0.9);
    let (_folder, path) = written(trainer(sgd()));
    let expected = resumed(trainer(sgd()).epochs(3), &path);
    without(&path, &["optimizer", "given_lr", "monitor"]);
    assert!(refusal(Adam::new(1e-3), &path).contains("expected mean, mean_square, as this run has it, found velocity"));
    let found = resumed(trainer(sgd()).epochs(3), &path);
    assert_eq!((found.0, found.1.epochs.len()), (expected.0, 3));

    let (_folder, path) = written(trainer(Sgd::new(0.05)));
    without(&path, &["optimizer", "given_lr", "monitor"]);
    assert!(refusal(Adam::new(1e-3), &path).contains("expected mean, mean_square, as this run has it, found none"));
}

#[test]
fn counts_that_no_run_reaches_are_refused() {
    let trainer = || trainer(Adam::new(1e-3)).average_weights(0.9);
    let (many, most) = (u64::MAX, 1u64 << 53);
    for (entry, value, expected) in [
        ("step", serde_json::json!(many), format!("steps made: expected at most 9, found {many}")),
        ("optimizer_steps", many.into(), format!("steps of the optimiser: expected at most {most}, found {many}")),
        ("averaged_steps", many.into(), format!("steps of the average: expected at most {most}, found {many}")),
        ("waited", many.into(), format!("epochs without a better one: expected at most {most}, found {many}")),
        (
            "tally",
            serde_json::json!(["0.5", 1, 21, "1.0"]),
            "images of the epoch: expected at most 20, found 21".into(),
        ),
        (
            "tally",
            serde_json::json!(["0.5", 9, 8, "1.0"]),
            "images whose class was found: expected at most 8, found 9".into(),
        ),
        ("step", 3.into(), "epochs made: expected 1, as this run has it, found 2".into()),
    ] {
        let (_folder, path) = written(trainer());
        rewrite(&path, |record| record[entry] = value);
        let mut net = Toy::new(9);
        let error = trainer().epochs(3).resume(&path).fit(&mut net, &columns(20), ()).unwrap_err().to_string();
        assert!(error.ends_with(&format!("run.safetensors: {expected}")), "{error}");
        assert_eq!(net, Toy::new(9));
    }
}

#[test]
fn what_a_file_says_is_told_in_a_short_line() {
    let long = "\u{1b}[2J".to_owned() + &"letters".repeat(1000);
    for (entry, value) in [
        ("layers", serde_json::json!([long])),
        ("network", serde_json::json!(long)),
        ("hash", serde_json::json!(long)),
        ("lr", serde_json::json!(long)),
        ("optimizer", serde_json::json!(long)),
        ("buffers", serde_json::json!([long])),
    ] {
        let (_folder, path) = written(trainer(Sgd::new(0.1)));
        rewrite(&path, |record| {
            record["layers"] = serde_json::json!(["none"]);
            if !["layers", "network"].contains(&entry) {
                record["layers"] = serde_json::json!(layers(Toy::INFO));
            }
            record[entry] = value;
        });
        let error = refusal(Sgd::new(0.1), &path);
        assert!(error.len() < 1000 && !error.contains(char::is_control) && error.contains("[2J"), "{entry}: {error}");
    }
}

#[test]
fn a_history_that_is_no_runs_is_refused() {
    let change = |change: &dyn Fn(&mut Vec<serde_json::Value>)| {
        let (_folder, path) = written(trainer(Sgd::new(0.1)));
        rewrite(&path, |record| change(record["history"].as_array_mut().unwrap()));
        refusal(Sgd::new(0.1), &path)
    };
    let error = change(&|epochs| epochs.extend(vec![epochs[0].clone(); 1000]));
    assert!(error.ends_with("epochs made: expected 2, as this run has it, found 1002"), "{error}");
    let error = change(&|epochs| epochs[1]["epoch"] = u64::MAX.into());
    assert!(error.ends_with(&format!("epoch of the history: expected 1, as this run has it, found {}", u64::MAX)));
}

#[test]
fn another_schedule_is_refused_by_the_name_of_the_file() {
    let tests = columns(9);
    let (_folder, path) = written(trainer(Sgd::new(0.1)).schedule(Plateau::new(0.1)).validate(&tests));
    let mut net = Toy::new(9);
    let mut trainer = trainer(Sgd::new(0.1)).schedule(Cosine::new(0.1)).resume(&path);
    let error = trainer.fit(&mut net, &columns(20), ()).unwrap_err().to_string();
    assert!(error.ends_with("run.safetensors: numbers that a schedule remembers: expected 0, found 4"), "{error}");
    assert_eq!(net, Toy::new(9));
}

#[test]
fn the_learning_rate_of_a_run_taken_up_is_the_one_given() {
    let (_folder, path) = written(trainer(Sgd::new(0.05).momentum(0.9)));
    let (_, history) = resumed(trainer(Sgd::new(0.001).momentum(0.9)).epochs(4), &path);
    assert_eq!(history.epochs.iter().map(|epoch| epoch.lr).collect::<Vec<_>>(), [0.05, 0.05, 0.001, 0.001]);

    // A schedule that remembers its rate goes on with it.
    let tests = columns(9);
    let plateau = || trainer(Sgd::new(0.5)).schedule(Plateau::new(0.1).patience(0).factor(0.5)).validate(&tests);
    let (_folder, path) = written(plateau().epochs(4));
    let (_, expected) = whole(plateau().epochs(6));
    let (_, parts) = resumed(plateau().epochs(6), &path);
    let rates = |history: &History| history.epochs.iter().map(|epoch| epoch.lr).collect::<Vec<_>>();
    assert_eq!(rates(&parts), rates(&expected));
    // Unless it is given another one to start at.
    let lower = trainer(Sgd::new(0.5)).schedule(Plateau::new(0.001).patience(9)).validate(&tests);
    assert_eq!(rates(&resumed(lower.epochs(6), &path).1)[4..], [0.001, 0.001]);
    // Without the schedule, the rate is the optimiser's.
    let (_folder, path) = written(trainer(Sgd::new(0.5)).schedule(Cosine::new(0.1)));
    assert_eq!(resumed(trainer(Sgd::new(0.5)).epochs(3), &path).1.epochs[2].lr, 0.5);
}

/// All of an epoch but the time that it took, and how many were asked for then.
fn told(history: &History) -> Vec<String> {
    let timeless = |epoch: &Epoch| format!("{:?}", Epoch { time: Duration::ZERO, epochs: 0, ..epoch.clone() });
    history.epochs.iter().map(timeless).collect()
}

#[test]
fn a_run_that_ends_within_an_epoch_goes_on_inside_it() {
    let tests = contrary();
    let trainer = |steps| {
        let plateau = Plateau::new(0.1).patience(0).factor(0.5).monitor(Monitor::Loss);
        trainer(Sgd::new(0.7)).schedule(plateau).monitor(Monitor::Loss).validate(&tests).keep_best().steps(steps)
    };
    // Three steps are an epoch.
    let (_folder, path) = written(trainer(4));
    for steps in [4, 6, 8] {
        let (net, history) = resumed(trainer(steps), &path);
        let (expected, expected_history) = whole(trainer(steps));
        assert_eq!((net, told(&history)), (expected, told(&expected_history)), "{steps} steps");
    }
}

/// A rule that halves its rate with each step.
struct Halving(Sgd);

impl Optimizer for Halving {
    fn update(&mut self, values: &mut [f32], gradients: &[f32], tensors: &[TensorInfo]) -> Result<(), Error> {
        self.0.update(values, gradients, tensors)?;
        self.set_lr(0.5 * self.lr());
        Ok(())
    }

    fn memory(&self) -> &Memory {
        self.0.memory()
    }

    fn memory_mut(&mut self) -> &mut Memory {
        self.0.memory_mut()
    }
}

/// Momentum, as a rule from elsewhere has it, with a buffer of so many floats too few.
struct Rolling {
    memory: Memory,
    missing: usize,
}

impl Rolling {
    fn new(missing: usize) -> Self {
        Rolling { memory: Memory::new(0.05), missing }
    }
}

impl Optimizer for Rolling {
    fn update(&mut self, values: &mut [f32], gradients: &[f32], _: &[TensorInfo]) -> Result<(), Error> {
        let lr = self.memory.lr;
        let [speed] = self.memory.buffers_mut(["speed"], values.len() - self.missing)?;
        for ((w, d), v) in values.iter_mut().zip(gradients).zip(speed) {
            *v = 0.9 * *v + d;
            *w -= lr * *v;
        }
        self.memory.steps += 1;
        Ok(())
    }

    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }
}

#[test]
fn what_a_rule_from_elsewhere_remembers_is_kept() {
    let (_folder, path) = written(trainer(Rolling::new(0)));
    let (net, history) = resumed(trainer(Rolling::new(0)).epochs(3), &path);
    let (expected, expected_history) = whole(trainer(Rolling::new(0)).epochs(3));
    assert_eq!((net, told(&history)), (expected, told(&expected_history)));

    let mut trainer = trainer(Rolling::new(1)).checkpoint(&path);
    let error = trainer.fit(&mut Toy::new(1), &columns(20), ()).unwrap_err().to_string();
    assert!(error.starts_with("floats in a buffer of the optimiser: expected "), "{error}");
}

#[test]
fn a_rate_that_the_rule_itself_has_changed_is_kept() {
    let halving = || trainer(Halving(Sgd::new(1.0)));
    let (_folder, path) = written(halving());
    let (net, history) = resumed(halving().epochs(3), &path);
    assert_eq!(history.epochs[2].lr, 0.5f32.powi(9));
    assert_eq!(net, whole(halving().epochs(3)).0);
}

/// The loss after each epoch, and that of the network.
fn losses((net, history): &(Toy, History), tests: &Arrays) -> (Vec<f32>, f32) {
    let losses = history.epochs.iter().map(|epoch| epoch.validation.as_ref().unwrap().loss).collect();
    (losses, metrics::evaluate(net, &mut net.workspace(8), tests).unwrap().loss)
}

#[test]
fn the_best_epoch_counts_from_where_its_weights_are_kept() {
    // Each epoch makes this loss worse.
    let tests = contrary();
    let trainer = || trainer(Sgd::new(0.1)).monitor(Monitor::Loss).validate(&tests);
    let (_folder, path) = written(trainer());
    let (each, own) = losses(&resumed(trainer().epochs(5).keep_best(), &path), &tests);
    assert!(each.is_sorted(), "{each:?}");
    assert_eq!(own, each[2], "of {each:?}");

    let (_folder, path) = written(trainer().keep_best());
    let (each, own) = losses(&resumed(trainer().epochs(5).keep_best(), &path), &tests);
    assert_eq!(own, each[0], "of {each:?}");
    let (each, own) = losses(&resumed(trainer().epochs(5), &path), &tests);
    assert_eq!(own, each[4], "of {each:?}");
}

#[test]
fn a_score_is_not_held_against_one_of_another_monitor() {
    let tests = contrary();
    let trainer = || trainer(Sgd::new(0.1)).validate(&tests);
    let (_folder, path) = written(trainer().keep_best());
    // Accuracies are below these losses.
    let (net, history) = resumed(trainer().epochs(6).monitor(Monitor::Loss).stop_early(1).keep_best(), &path);
    assert_eq!(history.epochs.len(), 4);
    let (each, own) = losses(&(net, history), &tests);
    assert_eq!(own, each[2], "of {each:?}");
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_told_before_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("none/run.safetensors"), folder.path().to_owned()] {
        let mut steps = 0;
        let mut trainer = trainer(Sgd::new(0.1)).checkpoint(&path);
        let error = trainer.fit(&mut Toy::new(1), &columns(20), |_: &Step| steps += 1).unwrap_err();
        assert!(matches!(&error, Error::Io { path: Some(named), .. } if *named == path), "{error}");
        assert_eq!(steps, 0, "{error}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn checkpoints_that_go_nowhere_are_refused() {
    let mut net = Toy::new(1);
    let error = trainer(Sgd::new(0.1)).checkpoint_every(2).fit(&mut net, &columns(20), ()).unwrap_err().to_string();
    assert_eq!(error, "steps between checkpoints is 2, expected a file that they go to, by `checkpoint`");
    assert_eq!(net, Toy::new(1));
}

crate::cnn! {
    #[derive(Clone, Debug, PartialEq)]
    Net <1x2x3> -> conv(4, 1x1) -> bn -> relu -> fc(3);
}

#[test]
fn weights_come_out_of_a_checkpoint() {
    let (folder, tests) = (tempfile::tempdir().unwrap(), contrary());
    let path = folder.path().join("run.safetensors");
    let trainer = || trainer(Sgd::new(0.1).momentum(0.9)).epochs(3).monitor(Monitor::Loss).validate(&tests);
    let [mut last, mut best, mut net] = [1, 1, 9].map(Net::new);
    trainer().fit(&mut last, &columns(20), ()).unwrap();
    trainer().keep_best().checkpoint(&path).fit(&mut best, &columns(20), ()).unwrap();
    assert_ne!(last, best);
    net.load(&path).unwrap();
    assert_eq!(net, last);
    let of_best = |name: &str| name.strip_prefix("best/").map_or(format!("last/{name}"), str::to_owned);
    let loaded = Loader::new().map(of_best).load(&mut net, &path).unwrap();
    assert_eq!(net, best);
    assert!(loaded.surplus.contains(&"velocity/fc1.bias".to_owned()), "{loaded:?}");

    // In other files, and without a slash, what is surplus is an error.
    let other = folder.path().join("other.safetensors");
    let surplus = |name: &str, metadata: &[(String, String)]| {
        let tensors = [Tensor::floats(name, [1], &[0.0])];
        weights::write(&other, &metadata.iter().cloned().collect(), &tensors).unwrap();
        Loader::new().allow_missing("").load(&mut Net::new(1), &other).unwrap_err().to_string()
    };
    assert!(surplus("best/fc1.bias", &[]).contains("1 surplus"));
    assert!(surplus("fc2.bias", &[(RUN.into(), "{}".into())]).contains("1 surplus"));
}
