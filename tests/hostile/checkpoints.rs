//! No checkpoint makes a trainer panic.
//!
//! 4,000 files, or as many as `CNN_FUZZ` says: a valid one changed in one to four places.

use cnn_runtime::data::{Arrays, ReadAhead};
use cnn_runtime::prelude::*;
use ndarray::Array4;

use crate::mutation::{Random, mutate};
use crate::{ALONE, Net};

/// Files that are tried unless `CNN_FUZZ` says how many.
const FILES: u64 = 4_000;

fn data() -> Arrays {
    let images = Array4::from_shape_fn((8, 1, 6, 6), |(n, _, h, w)| ((n * 5 + h * 3 + w) as f32).sin());
    Arrays::new(images, (0..8).map(|n| n % 4).collect(), 4).unwrap()
}

fn trainer(data: &Arrays) -> Trainer<'_, Adam> {
    let one_thread = ReadAhead::new().workers(0);
    Trainer::new(Adam::new(1e-3)).epochs(2).batch(4).average_weights(0.9).read_ahead(one_thread).validate(data)
}

#[test]
fn no_checkpoint_harms() {
    let _alone = ALONE.lock();
    let count = std::env::var("CNN_FUZZ").map_or(FILES, |count| count.parse().expect("CNN_FUZZ is a number"));
    let (folder, data) = (tempfile::tempdir().unwrap(), data());
    let [valid, changed] = ["valid", "changed"].map(|name| folder.path().join(name));
    trainer(&data).checkpoint(&valid).fit(&mut Net::new(1), &data, ()).unwrap();
    let bytes = std::fs::read(valid).unwrap();
    let mut taken_up = 0;
    for seed in 0..count {
        let (mut file, mut random) = (bytes.clone(), Random::new(seed));
        // Half of the changes hit the record, the more intricate part.
        let record = if random.below(2) == 0 { file.split_off(file.len() / 2) } else { Vec::new() };
        mutate(&mut file, &mut random);
        file.extend(record);
        std::fs::write(&changed, &file).unwrap();
        taken_up += u64::from(trainer(&data).resume(&changed).fit(&mut Net::new(2), &data, ()).is_ok());
    }
    println!("{taken_up} of {count} checkpoints were taken up");
    assert!(taken_up > 0 && taken_up < count, "changes of single numbers go unnoticed, others do not");
}

/// In a run that goes on, the counts of the file grow: each number in turn claims that there is no room left for that.
#[test]
fn no_count_of_a_checkpoint_overflows() {
    let _alone = ALONE.lock();
    let (folder, data) = (tempfile::tempdir().unwrap(), data());
    let [valid, changed] = ["valid", "changed"].map(|name| folder.path().join(name));
    let trainer = || trainer(&data).schedule(Plateau::new(1e-3)).stop_early(9);
    // Two steps are an epoch.
    trainer().steps(3).checkpoint(&valid).fit(&mut Net::new(1), &data, ()).unwrap();
    let bytes = std::fs::read(valid).unwrap();
    let end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&bytes[8..end]).unwrap();
    let (mut at, mut tried) = (0, 0);
    while let Some(start) = header[at..].find(|c: char| c.is_ascii_digit()).map(|found| at + found) {
        at = header[start..].find(|c: char| !c.is_ascii_digit()).map_or(header.len(), |len| start + len);
        for claim in [u64::MAX, i64::MAX as u64, u64::MAX / 2] {
            let header = format!("{}{claim}{}", &header[..start], &header[at..]);
            let file = [&header.len().to_le_bytes()[..], header.as_bytes(), &bytes[end..]].concat();
            std::fs::write(&changed, &file).unwrap();
            let _ = trainer().resume(&changed).fit(&mut Net::new(2), &data, ());
            tried += 1;
        }
    }
    assert!(tried > 100, "{tried}");
}
