mod data;

use std::ops::ControlFlow;

use ndarray::Array4;

use super::*;
use crate::data::{Arrays, Draw, OnBadSample};
use crate::metrics;
use crate::optim::Sgd;
use crate::testing::largest;
use crate::toy::Toy;

/// Images whose brightest column is their class.
pub(super) fn columns(samples: usize) -> Arrays {
    let labels: Vec<usize> = (0..samples).map(|n| (n * 7 + n / 3) % 3).collect();
    let noise = |n: usize, h: usize, w: usize| ((n * 31 + h * 17 + w * 5) as f32).sin() * 0.3;
    let images =
        Array4::from_shape_fn((samples, 1, 2, 3), |(n, _, h, w)| noise(n, h, w) + f32::from(u8::from(labels[n] == w)));
    Arrays::new(images, labels, 3).unwrap()
}

/// Such images with wrong labels: what is learned of the right ones makes their loss worse with each epoch.
pub(super) fn contrary() -> Arrays {
    let images = columns(30);
    let labels = images.labels().iter().map(|label| (label + 1) % 3).collect();
    Arrays::new(images.images().clone(), labels, 3).unwrap()
}

fn trainer() -> Trainer<'static, Sgd> {
    Trainer::new(Sgd::new(0.1).momentum(0.9)).epochs(5).batch(8).seed(1)
}

#[test]
fn learns_what_can_be_learned() {
    let data = columns(100);
    let mut net = Toy::new(1);
    let mut ws = net.workspace(16);
    let before = metrics::evaluate(&net, &mut ws, &data).unwrap();
    let history = trainer().fit(&mut net, &data, ()).unwrap();
    let after = metrics::evaluate(&net, &mut ws, &data).unwrap();
    assert_eq!(history.epochs.len(), 5);
    assert!(history.epochs[4].loss < 0.5 * history.epochs[0].loss, "{history:?}");
    assert!(after.accuracy() > 0.95 && after.loss < before.loss, "{before:?} to {after:?}");
    assert_eq!(after.samples(), 100);
}

#[test]
fn the_seed_makes_the_run() {
    let data = columns(50);
    let run = |seed| {
        let mut net = Toy::new(1);
        trainer().seed(seed).fit(&mut net, &data, ()).unwrap();
        net
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

/// The orders in which some epochs see 20 samples.
fn orders(seed: u64, epochs: &[usize]) -> Vec<Vec<usize>> {
    let (mut net, data) = (Toy::new(0), columns(20));
    let mut trainer = trainer().seed(seed);
    let mut run = Run::new(&mut trainer, &mut net, &data).unwrap();
    epochs.iter().map(|&epoch| run.order_of(epoch).to_vec()).collect()
}

#[test]
fn every_epoch_sees_every_sample_once_in_an_order_of_its_own() {
    let found = orders(3, &[4, 5, 4]);
    assert_ne!(found[0], found[1]);
    assert_eq!(found[0], found[2]);
    let mut sorted = found[1].clone();
    sorted.sort();
    assert_eq!(sorted, (0..20).collect::<Vec<_>>());
}

#[test]
fn steps_are_reported_and_the_last_batch_is_smaller() {
    let mut steps = Vec::new();
    trainer().epochs(2).fit(&mut Toy::new(1), &columns(20), |step: &Step| steps.push(*step)).unwrap();
    let seen: Vec<_> = steps.iter().map(|s| (s.epoch, s.step, s.steps, s.images, s.total_images)).collect();
    assert_eq!(
        seen,
        [
            (0, 0, 3, 8, 20),
            (0, 1, 3, 16, 20),
            (0, 2, 3, 20, 20),
            (1, 0, 3, 8, 20),
            (1, 1, 3, 16, 20),
            (1, 2, 3, 20, 20)
        ]
    );
    let mean = (8.0 * steps[0].loss + 8.0 * steps[1].loss + 4.0 * steps[2].loss) / 20.0;
    assert!((steps[2].mean_loss - mean).abs() < 1e-6);
}

#[test]
fn the_schedule_sets_every_step() {
    let mut rates = Vec::new();
    let mut trainer = trainer().epochs(2).schedule(|at: Position| 0.1 / (1 + at.step) as f32 / (1 + at.epoch) as f32);
    trainer.fit(&mut Toy::new(1), &columns(16), |step: &Step| rates.push(step.lr)).unwrap();
    assert_eq!(rates, [0.1, 0.05, 0.1 / 3.0 / 2.0, 0.1 / 4.0 / 2.0]);
}

struct StopAfter(usize);

impl Callback<Toy> for StopAfter {
    fn epoch(&mut self, _: &Toy, epoch: &Epoch) -> Result<ControlFlow<()>, Error> {
        Ok(if epoch.epoch + 1 == self.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

#[test]
fn a_callback_can_end_the_run() {
    let history = trainer().fit(&mut Toy::new(1), &columns(16), StopAfter(2)).unwrap();
    assert_eq!(history.epochs.len(), 2);
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run_and_keeps_what_was_learned() {
    let clean = columns(16);
    let mut images = clean.images().clone();
    images[[5, 0, 0, 0]] = f32::NAN;
    let broken = Arrays::new(images, clean.labels().to_vec(), 3).unwrap();
    let mut steps = 0;
    let mut net = Toy::new(1);
    let error = trainer().batch(1).fit(&mut net, &broken, |_: &Step| steps += 1).unwrap_err();
    match error {
        Error::LossNotFinite { loss, step } => assert!(loss.is_nan() && step == Some(steps), "{loss} at {step:?}"),
        other => panic!("{other}"),
    }

    let mut expected = Toy::new(1);
    trainer().batch(1).steps(steps).fit(&mut expected, &broken, ()).unwrap();
    assert_eq!(net, expected);
    assert!(net.params().state()[0].is_finite());
}

#[test]
fn wrong_settings_and_data_are_named() {
    let mut net = Toy::new(1);
    let mut message = |mut trainer: Trainer<'static, Sgd>, data: &dyn Dataset| {
        trainer.fit(&mut net, data, ()).unwrap_err().to_string()
    };
    assert_eq!(message(trainer().batch(0), &columns(4)), "batch size is 0, expected at least 1");
    let other = Arrays::new(Array4::zeros((1, 1, 3, 2)), vec![0], 3).unwrap();
    assert_eq!(
        message(trainer(), &other),
        "shape of the data's samples: expected [1, 2, 3], the input of Toy, found [1, 3, 2]"
    );
    assert_eq!(message(trainer(), &columns(0)), "samples in the data: expected at least one, found 0");
    let labelled = Arrays::new(Array4::zeros((1, 1, 2, 3)), vec![3], 4).unwrap();
    assert_eq!(message(trainer(), &labelled), "classes of the data: expected at most 3, the outputs of Toy, found 4");
}

fn fitted(mut trainer: Trainer<'_, Sgd>, data: &Arrays) -> (Toy, History) {
    let mut net = Toy::new(1);
    let history = trainer.fit(&mut net, data, ()).unwrap();
    (net, history)
}

/// The largest distance between two networks' parameters.
fn distance(a: &Toy, b: &Toy) -> f64 {
    largest(a.params().values().iter().zip(b.params().values()).map(|(a, b)| f64::from(a - b)))
}

#[test]
fn small_batches_together_make_the_step_of_a_large_one() {
    let data = columns(21);
    let (large, once) = fitted(trainer().batch(8), &data);
    let (small, together) = fitted(trainer().batch(2).accumulate(4), &data);
    assert!(distance(&large, &small) < 1e-5, "{large:?} against {small:?}");
    let losses = |history: &History| history.epochs.iter().map(|epoch| epoch.loss).collect::<Vec<_>>();
    for (a, b) in losses(&once).into_iter().zip(losses(&together)) {
        assert!((a - b).abs() < 1e-5);
    }
    assert!(distance(&large, &fitted(trainer().batch(2), &data).0) > 1e-2, "without, it is another run");
}

#[test]
fn a_run_of_some_steps_is_the_start_of_a_longer_one() {
    let data = columns(20);
    let (five_epochs, _) = fitted(trainer(), &data);
    assert_eq!(fitted(trainer().steps(15), &data).0, five_epochs);
    let (_, history) = fitted(trainer().steps(4), &data);
    assert_eq!(history.epochs.iter().map(|epoch| epoch.images).collect::<Vec<_>>(), [20, 8]);
}

#[test]
fn clipped_gradients_make_short_steps() {
    let data = columns(8);
    let trainer = Trainer::new(Sgd::new(1.0)).batch(8);
    let (net, _) = fitted(trainer.clip_norm(1e-3), &data);
    let moved: f32 =
        net.params().values().iter().zip(Toy::new(1).params().values()).map(|(a, b)| (a - b).powi(2)).sum();
    assert!((moved.sqrt() - 1e-3).abs() < 1e-5, "{moved}");
}

#[test]
fn softened_and_mixed_labels_keep_scores_small() {
    let data = columns(60);
    let largest = |trainer: Trainer<'_, Sgd>| {
        let (net, _) = fitted(trainer.epochs(40), &data);
        net.params().values().iter().fold(0.0, |largest: f32, value| largest.max(value.abs()))
    };
    let plain = largest(trainer());
    assert!(largest(trainer().label_smoothing(0.3)) < 0.8 * plain);
    assert!(largest(trainer().mixup(1.0)) < 0.8 * plain);
    assert_eq!(fitted(trainer().mixup(0.4), &data).0, fitted(trainer().mixup(0.4), &data).0);
}

#[test]
fn what_is_validated_is_what_the_run_ends_with() {
    let (data, tests) = (columns(40), columns(30));
    let (plain, _) = fitted(trainer(), &data);
    let (averaged, history) = fitted(trainer().average_weights(0.9).validate(&tests), &data);
    assert!(distance(&plain, &averaged) > 1e-4);
    let last = history.epochs.last().unwrap().validation.as_ref().unwrap();
    assert_eq!(&metrics::evaluate(&averaged, &mut averaged.workspace(8), &tests).unwrap().summary(), last);
    assert_eq!(fitted(trainer().average_weights(0.0), &data).0.params().values()[0], plain.params().values()[0]);
}

#[test]
fn the_run_ends_when_patience_does_and_the_best_epoch_is_kept() {
    let (data, tests) = (columns(40), contrary());
    let loss = |net: &Toy| metrics::evaluate(net, &mut net.workspace(8), &tests).unwrap().loss;
    let trainer = || trainer().epochs(9).monitor(Monitor::Loss).validate(&tests).stop_early(3);

    let (best, history) = fitted(trainer().keep_best(), &data);
    let losses: Vec<f32> = history.epochs.iter().map(|epoch| epoch.validation.as_ref().unwrap().loss).collect();
    assert!(losses.len() == 4 && losses.is_sorted(), "{losses:?}");
    assert_eq!(loss(&best), losses[0]);
    let (last, _) = fitted(trainer(), &data);
    assert_eq!(loss(&last), losses[3]);
}

#[test]
fn a_trainer_begins_each_run_anew() {
    let (data, tests) = (columns(40), columns(30));
    let mut trainer = trainer().schedule(Plateau::new(0.1).patience(0)).validate(&tests);
    let mut run = || {
        let mut net = Toy::new(1);
        let history = trainer.fit(&mut net, &data, ()).unwrap();
        (net, history.epochs.iter().map(|epoch| epoch.lr).collect::<Vec<_>>())
    };
    let first = run();
    assert!(first.1[4] < first.1[0], "{:?}", first.1);
    assert_eq!(run(), first);
}

struct FailAfter(usize);

impl Callback<Toy> for FailAfter {
    fn epoch(&mut self, _: &Toy, epoch: &Epoch) -> Result<ControlFlow<()>, Error> {
        if epoch.epoch + 1 == self.0 {
            Err(Error::EmptyBatch { network: "Toy" })
        } else {
            Ok(ControlFlow::Continue(()))
        }
    }
}

#[test]
fn the_best_epoch_is_kept_also_if_the_run_fails() {
    let (data, tests) = (columns(40), contrary());
    let loss = |net: &Toy| metrics::evaluate(net, &mut net.workspace(8), &tests).unwrap().loss;
    let trainer = || trainer().monitor(Monitor::Loss).validate(&tests);
    let failed = |mut trainer: Trainer<'_, Sgd>| {
        let mut net = Toy::new(1);
        trainer.fit(&mut net, &data, FailAfter(3)).unwrap_err();
        loss(&net)
    };
    let after = |epochs| loss(&fitted(trainer().epochs(epochs), &data).0);
    assert_eq!(failed(trainer().keep_best()), after(1));
    assert_eq!(failed(trainer()), after(3));
}

#[test]
fn a_run_may_be_as_long_as_patience_lasts() {
    let tests = contrary();
    let endless = trainer().epochs(usize::MAX).monitor(Monitor::Loss).validate(&tests).stop_early(3);
    assert_eq!(fitted(endless, &columns(40)).1.epochs.len(), 4);
}

#[test]
fn frozen_layers_stay_as_they_are() {
    let data = columns(16);
    let frozen = |layer: &str| fitted(trainer().freeze(layer), &data).0;
    let start = Toy::new(1);
    assert_eq!(frozen("fc").params().values(), start.params().values());
    assert_ne!(frozen("fc").params().state(), start.params().state(), "a statistic of another layer");
    let error = trainer().freeze("fc2").fit(&mut Toy::new(1), &data, ()).unwrap_err().to_string();
    assert!(error.starts_with("Toy has no layer `fc2`; it has fc"), "{error}");
}

#[test]
fn settings_without_a_meaning_are_refused() {
    let data = columns(4);
    let message = |mut trainer: Trainer<'_, Sgd>| trainer.fit(&mut Toy::new(1), &data, ()).unwrap_err().to_string();
    assert!(message(trainer().label_smoothing(1.0)).starts_with("label smoothing is 1, expected a number from 0"));
    assert!(message(trainer().mixup(f32::NAN)).starts_with("alpha of mixup is NaN"));
    assert!(message(trainer().clip_norm(0.0)).starts_with("longest gradient is 0"));
    assert!(message(trainer().accumulate(0)).starts_with("batches of a step is 0"));
    for needy in [trainer().stop_early(1), trainer().keep_best(), trainer().schedule(Plateau::new(0.1))] {
        assert!(message(needy).starts_with("data to validate on: expected some"));
    }
}

/// Pictures as something else is made of each, with its label, when it is read.
struct Changed<F>(Arrays, F);

impl<F: Fn(Draw, &mut [f32], usize) -> Result<usize, Error> + Sync> Dataset for Changed<F> {
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
        let label = self.0.read(draw, image)?;
        (self.1)(draw, image, label)
    }
}

/// Pictures of which some cannot be read.
fn torn(data: Arrays) -> impl Dataset {
    Changed(data, |Draw { index, .. }, _: &mut [f32], label| match index % 5 {
        ..3 => Err(Error::Format { path: None, reason: format!("sample {index} is torn") }),
        _ => Ok(label),
    })
}

#[test]
fn samples_that_cannot_be_read_end_the_run_or_are_left_out_and_told() {
    let torn = torn(columns(20));
    let error = trainer().fit(&mut Toy::new(1), &torn, ()).unwrap_err().to_string();
    assert!(error.contains("is torn"), "{error}");
    let skipping = || trainer().batch(1).read_ahead(ReadAhead::new().on_bad_sample(OnBadSample::Skip));
    let mut steps = 0;
    let mut trainer = skipping().accumulate(2).epochs(2);
    let history = trainer.fit(&mut Toy::new(1), &torn, |_: &Step| steps += 1).unwrap();
    for epoch in &history.epochs {
        assert_eq!((epoch.images, epoch.skipped.len()), (8, 12));
        assert!(epoch.skipped[0].contains("is torn"), "{}", epoch.skipped[0]);
    }
    // Of each pair of samples that makes a step, one or both may be torn.
    assert!((8..16).contains(&steps), "{steps}");
    assert!(history.epochs[1].loss.is_finite());
}
