use std::process::Command;

use super::*;
use crate::network::Network;
use crate::toy::Toy;
use crate::watch::epoch;

/// Two epochs of three steps, a point for every second step.
fn run(folder: &Path) -> PathBuf {
    let mut board = TensorBoard::create(folder).unwrap().every(2);
    for index in 0..2 {
        for at in 0..3 {
            Callback::<Toy>::step(&mut board, &step(index, at));
        }
        assert!(board.epoch(&Toy::new(0), &epoch(index, 2)).unwrap().is_continue());
    }
    board.scalar("mine", 6, 0.25).unwrap();
    board.path().to_owned()
}

fn step(epoch: usize, step: usize) -> Step {
    let loss = 1.0 / (1 + 3 * epoch + step) as f32;
    Step { epoch, step, steps: 3, lr: 0.5, loss, mean_loss: loss, accuracy: 0.5, images: 8, total_images: 24 }
}

/// The points of a file: tag, step, value.
fn points(path: &Path) -> Vec<(String, i64, f32)> {
    let mut points = Vec::new();
    for record in record::tests::read(&fs::read(path).unwrap()) {
        let event = Event::decode(&record[..]).unwrap();
        if let Some(What::Summary(summary)) = event.what {
            points.extend(summary.value.into_iter().map(|v| (v.tag, event.step, v.simple_value.unwrap())));
        }
    }
    points
}

#[test]
fn steps_and_epochs_are_points_of_charts() {
    let folder = tempfile::tempdir().unwrap();
    let points = points(&run(folder.path()));
    let chart = |tag: &str| -> Vec<(i64, f32)> {
        points.iter().filter(|point| point.0 == tag).map(|point| (point.1, point.2)).collect()
    };
    assert_eq!(chart("step/loss"), [(2, 0.5), (4, 0.25), (6, 1.0 / 6.0)]);
    assert_eq!(chart("loss/train"), [(3, 0.5), (6, 1.0 / 3.0)]);
    assert_eq!(chart("images per second"), [(3, 400.0), (6, 400.0)]);
    assert_eq!(chart("mine"), [(6, 0.25)]);
    assert!(chart("loss/validation").is_empty());
}

#[test]
fn a_step_is_in_the_file_before_its_epoch_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut board = TensorBoard::create(folder.path()).unwrap().every(1);
    Callback::<Toy>::step(&mut board, &step(0, 0));
    assert_eq!(points(board.path()), [("step/loss".into(), 1, 1.0), ("step/learning rate".into(), 1, 0.5)]);
}

#[test]
fn the_first_record_names_the_format() {
    let folder = tempfile::tempdir().unwrap();
    let path = run(folder.path());
    let first = record::tests::read(&fs::read(&path).unwrap()).remove(0);
    assert_eq!(Event::decode(&first[..]).unwrap().what, Some(What::FileVersion("brain.Event:2".into())));
    assert!(path.file_name().unwrap().to_str().unwrap().starts_with("events.out.tfevents."));
}

#[test]
fn two_files_never_share_a_name_and_a_folder_has_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (run(folder.path()), run(folder.path()));
    assert_ne!(a, b);
    assert!(matches!(TensorBoard::create(&a), Err(Error::Io { .. })));
}

/// Reads a file with the program that it is for (`pip install tensorboard`), by `PYTHON` or else `python3`.
#[test]
#[ignore = "needs Python's package tensorboard"]
fn tensorboard_reads_what_was_written() {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let folder = tempfile::tempdir().unwrap();
    run(folder.path());
    let script = "
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1]).Reload()
for tag in sorted(events.Tags()['scalars']):
    print(tag, [(e.step, round(e.value, 4)) for e in events.Scalars(tag)])";
    let out = Command::new(&python).args(["-c", script]).arg(folder.path()).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    for line in
        ["step/loss [(2, 0.5), (4, 0.25), (6, 0.1667)]", "loss/train [(3, 0.5), (6, 0.3333)]", "mine [(6, 0.25)]"]
    {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
}
