//! Pictures with a hole.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Augment;

/// Sets a square at a random place to 0; where it reaches over the edge, less is hidden (DeVries and Taylor 2017). There
/// it is done after normalising, where 0 is the mean: `data.normalized(..)?.augmented(Cutout::new(16))`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cutout {
    side: u16,
}

impl Cutout {
    /// Squares of `side` pixels.
    pub const fn new(side: u16) -> Self {
        Cutout { side }
    }
}

impl Augment for Cutout {
    const NAME: &'static str = "cutout";

    fn apply(&self, image: &mut [f32], [_, h, w]: [usize; 3], rng: &mut ChaCha8Rng) {
        if image.is_empty() {
            return;
        }
        let side = usize::from(self.side);
        // The centre is uniform over the picture.
        let [rows, columns] = [h, w].map(|length| {
            let centre = rng.random_range(0..length);
            centre.saturating_sub(side / 2)..(centre + side).saturating_sub(side / 2).min(length)
        });
        for row in image.chunks_exact_mut(w).enumerate().filter(|(at, _)| rows.contains(&(at % h))).map(|(_, row)| row)
        {
            row[columns.clone()].fill(0.0);
        }
    }
}
