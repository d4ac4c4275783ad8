use std::ops::ControlFlow;

use ndarray::Array4;

use super::*;
use crate::data::Arrays;
use crate::optim::Sgd;
use crate::toy::Toy;

/// Images whose brightest column is their class.
fn columns(samples: usize) -> Arrays {
    let labels: Vec<usize> = (0..samples).map(|n| (n * 7 + n / 3) % 3).collect();
    let noise = |n: usize, h: usize, w: usize| ((n * 31 + h * 17 + w * 5) as f32).sin() * 0.3;
    let images =
        Array4::from_shape_fn((samples, 1, 2, 3), |(n, _, h, w)| noise(n, h, w) + f32::from(u8::from(labels[n] == w)));
    Arrays::new(images, labels, 3).unwrap()
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

#[test]
fn every_epoch_sees_every_sample_once_in_an_order_of_its_own() {
    let mut run = Run::new(&Toy::new(0), 20, 8);
    run.shuffle(3, 4);
    let fourth = run.order.clone();
    run.shuffle(3, 5);
    assert_ne!(run.order, fourth);
    let mut sorted = run.order.clone();
    sorted.sort();
    assert_eq!(sorted, (0..20).collect::<Vec<_>>());
    run.shuffle(3, 4);
    assert_eq!(run.order, fourth);
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
    let mut trainer = trainer().epochs(2).schedule(|at| 0.1 / (1 + at.step) as f32 / (1 + at.epoch) as f32);
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
    let mut run = Run::new(&expected, 16, 1);
    run.shuffle(1, 0);
    let mut sgd = Sgd::new(0.1).momentum(0.9);
    for step in 0..steps {
        let position = Position { epoch: 0, epochs: 1, step, steps: 16 };
        run.step(&mut expected, &broken, &mut sgd, 1, position).unwrap();
    }
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
    assert_eq!(message(trainer(), &labelled), "label 3 of sample 0 is out of range: expected 0 to 2");
}
