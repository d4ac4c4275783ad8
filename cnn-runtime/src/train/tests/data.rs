//! Data and networks that do not go together, and samples that are wrong.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::ensemble::Ensemble;

#[test]
fn a_wrong_label_is_named_by_its_place_in_the_data() {
    let wrong = Changed(columns(20), |draw: Draw, _: &mut [f32], label| Ok(if draw.index == 15 { 7 } else { label }));
    for trainer in [trainer(), trainer().label_smoothing(0.1)] {
        let error = { trainer }.fit(&mut Toy::new(1), &wrong, ()).unwrap_err().to_string();
        assert_eq!(error, "label 7 of sample 15 is out of range: expected 0 to 2");
    }
    let error = trainer().validate(&wrong).fit(&mut Toy::new(1), &columns(20), ()).unwrap_err().to_string();
    assert_eq!(error, "labels of the data to validate on: expected 0 to 2, found 7 of sample 15");
}

#[test]
fn classes_without_an_output_are_refused_before_the_first_step() {
    let of = |classes| Arrays::new(Array4::zeros((4, 1, 2, 3)), vec![0; 4], classes).unwrap();
    let (four, two, mut net) = (of(4), of(2), Toy::new(1));
    let error = trainer().fit(&mut net, &four, ()).unwrap_err().to_string();
    assert_eq!(error, "classes of the data: expected at most 3, the outputs of Toy, found 4");
    let error = trainer().validate(&four).fit(&mut net, &two, ()).unwrap_err().to_string();
    assert_eq!(error, "classes of the data to validate on: expected at most 3, the outputs of Toy, found 4");
    assert_eq!(net, Toy::new(1));
    trainer().validate(&two).fit(&mut net, &two, ()).unwrap();
}

crate::cnn! {
    Map <1x2x3> -> conv(2, 1x1);

    Dot <1x2x3> -> conv(3, 2x3);

    Twice <1x2x3> -> fc(3) -> softmax;

    Log <1x2x3> -> fc(3) -> log_softmax;

    Any <1x2x3> -> fc(3) -> sigmoid -> reshape(3x1x1);
}

#[test]
fn a_network_that_ends_in_probabilities_is_refused() {
    let error = trainer().fit(&mut Twice::new(1), &columns(20), ()).unwrap_err().to_string();
    let found = "the probabilities of `softmax1`: train Twice without it";
    let expected = "scores, of which the loss makes probabilities itself";
    assert_eq!(error, format!("output of the network: expected {expected}, found {found}"));
    trainer().fit(&mut Log::new(1), &columns(20), ()).unwrap();
    let error = trainer().fit(&mut Any::new(1), &columns(20), ()).unwrap_err().to_string();
    let found = "the probabilities of `sigmoid1`: train Any without it; where classes do not exclude each other, the loss is \
                 `BinaryCrossEntropy`, in a loop of your own";
    assert_eq!(error, format!("output of the network: expected {expected}, found {found}"));
}

#[test]
fn a_network_that_ends_in_a_map_is_refused() {
    let error = trainer().fit(&mut Map::new(1), &columns(20), ()).unwrap_err().to_string();
    assert_eq!(error, "output of the network: expected a score for each class, found the 2x2x3 of Map");
    trainer().fit(&mut Dot::new(1), &columns(20), ()).unwrap();
}

#[test]
fn gradients_without_a_length_are_not_applied() {
    let data = Arrays::new(Array4::from_elem((4, 1, 2, 3), 3e38), vec![0; 4], 3).unwrap();
    let mut net = Dot::new(1);
    net.params_mut().values_mut().fill(0.0);
    let error = trainer().batch(2).accumulate(2).clip_norm(1.0).fit(&mut net, &data, ()).unwrap_err().to_string();
    assert_eq!(
        error,
        "the norm of the gradients is inf, expected a finite number (step 0; its update was not applied)"
    );
    assert!(net.params().values().iter().all(|&w| w == 0.0));
}

#[test]
fn samples_to_validate_on_that_cannot_be_read_are_left_out_and_told() {
    let (data, torn) = (columns(20), torn(columns(20)));
    let error = trainer().validate(&torn).fit(&mut Toy::new(1), &data, ()).unwrap_err().to_string();
    assert!(error.contains("sample 0 is torn"), "{error}");
    for workers in [0, 2] {
        let ahead = ReadAhead::new().workers(workers).on_bad_sample(OnBadSample::Skip);
        let history = trainer().read_ahead(ahead).validate(&torn).fit(&mut Toy::new(1), &data, ()).unwrap();
        for epoch in &history.epochs {
            assert_eq!((epoch.images, epoch.skipped.len()), (20, 12));
            assert_eq!(epoch.skipped[3], "data to validate on: in-memory data: sample 5 is torn");
            assert_eq!(epoch.validation.unwrap().samples, 8);
        }
    }
}

/// What a run leaves out, what looks at its network does not have to fail over.
#[test]
fn a_network_is_evaluated_on_what_can_be_read() {
    let (net, data) = (Toy::new(1), columns(20));
    let (good, bad) = torn(data).readable().unwrap();
    assert_eq!((good.len(), bad.len()), (8, 12));
    let found = metrics::evaluate(&net, &mut net.workspace(3), &good).unwrap();
    assert_eq!(found.samples(), 8);
    let ensemble = Ensemble::new(vec![net]).unwrap();
    assert_eq!(ensemble.evaluate(&mut ensemble.workspace(3), &good).unwrap().confusion, found.confusion);
    assert!(metrics::evaluate(&Toy::new(1), &mut Toy::new(1).workspace(3), &torn(columns(20))).is_err());
}

#[test]
fn a_loss_of_nan_is_no_best_one() {
    let (data, tests) = (columns(40), columns(30));
    let nights = |nights: usize| {
        // As many pictures are NaN as are read first.
        let dark = AtomicUsize::new(nights * 30);
        let tests = Changed(tests.clone(), |_, image: &mut [f32], label| {
            if dark.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                image.fill(f32::NAN);
            }
            Ok(label)
        });
        let mut trainer = trainer().monitor(Monitor::Loss).validate(&tests).stop_early(2).keep_best();
        let mut net = Toy::new(1);
        let history = trainer.fit(&mut net, &data, ()).unwrap();
        (metrics::evaluate(&net, &mut net.workspace(8), &columns(30)).unwrap().loss, history)
    };
    let (loss, history) = nights(1);
    let loss_of = |epoch: &Epoch| epoch.validation.as_ref().unwrap().loss;
    assert_eq!(history.epochs.len(), 5);
    assert!(loss_of(&history.epochs[0]).is_nan());
    assert_eq!(loss, history.epochs[1..].iter().map(loss_of).fold(f32::INFINITY, f32::min));
    assert_eq!(nights(9).1.epochs.len(), 2, "an end is no better than NaN");
}

/// What is NaN is of the class that NaN would be taken for.
#[test]
fn an_accuracy_of_nan_is_no_best_one() {
    let (data, zeros) = (columns(40), columns(30));
    let zeros = Arrays::new(zeros.images().clone(), vec![0; 30], 3).unwrap();
    let reads = AtomicUsize::new(0);
    let tests = Changed(zeros, |_, image: &mut [f32], label| {
        if reads.fetch_add(1, Ordering::Relaxed) / 30 == 1 {
            image.fill(f32::NAN);
        }
        Ok(label)
    });
    let mut first = Toy::new(1);
    trainer().epochs(1).fit(&mut first, &data, ()).unwrap();
    let mut net = Toy::new(1);
    let history = trainer().epochs(2).validate(&tests).keep_best().fit(&mut net, &data, ()).unwrap();
    let accuracies: Vec<_> = history.epochs.iter().map(|epoch| epoch.validation.unwrap().accuracy()).collect();
    assert!(accuracies[0] > 0.0 && accuracies[0] < 1.0 && accuracies[1] == 0.0, "{accuracies:?}");
    assert_eq!(net, first);
}
