//! Places along a line for things that must not touch.

/// The places nearest to `wanted`, by the sum of squares weighted by `weights`, in the same order and each at least
/// the matching gap, of which there is one fewer, behind the one before it.
///
/// Neighbours that come too near join a block, which stands where its members want it on average; blocks that then
/// meet join in turn (pool adjacent violators; Ayer et al. 1955).
pub(super) fn spread(wanted: &[f64], weights: &[f64], gaps: &[f64]) -> Vec<f64> {
    // Less the gaps before them, places only have to be in order.
    let mut offset = 0.0;
    let offsets: Vec<f64> = (0..wanted.len())
        .map(|index| {
            offset += if index == 0 { 0.0 } else { gaps[index - 1] };
            offset
        })
        .collect();
    let mut blocks: Vec<Block> = Vec::with_capacity(wanted.len());
    for index in 0..wanted.len() {
        let mut block = Block { place: wanted[index] - offsets[index], weight: weights[index], len: 1 };
        while let Some(before) = blocks.pop_if(|before| before.place > block.place) {
            let weight = before.weight + block.weight;
            let place = (before.place * before.weight + block.place * block.weight) / weight;
            block = Block { place, weight, len: before.len + block.len };
        }
        blocks.push(block);
    }
    let places = blocks.iter().flat_map(|block| std::iter::repeat_n(block.place, block.len));
    places.zip(offsets).map(|(place, offset)| place + offset).collect()
}

/// Neighbours that touch.
struct Block {
    place: f64,
    weight: f64,
    len: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_room_stays() {
        assert_eq!(spread(&[0.0, 5.0, 20.0], &[1.0; 3], &[5.0; 2]), [0.0, 5.0, 20.0]);
        assert!(spread(&[], &[], &[]).is_empty());
    }

    #[test]
    fn what_touches_stands_around_its_middle() {
        assert_eq!(spread(&[10.0, 10.0, 10.0], &[1.0; 3], &[3.0, 6.0]), [6.0, 9.0, 15.0]);
        assert_eq!(spread(&[10.0, 10.0], &[3.0, 1.0], &[4.0]), [9.0, 13.0], "heavy things move less");
    }

    #[test]
    fn no_place_nearby_is_better() {
        let (wanted, weights, gaps) = ([3.0, 1.0, 4.0, 1.0, 5.0], [1.0, 2.0, 1.0, 3.0, 1.0], [1.0, 2.0, 1.0, 0.5]);
        let cost = |places: &[f64]| -> f64 {
            places.iter().zip(wanted).zip(weights).map(|((p, w), weight)| weight * (p - w) * (p - w)).sum()
        };
        let best = spread(&wanted, &weights, &gaps);
        assert!(best.windows(2).zip(gaps).all(|(pair, gap)| pair[1] - pair[0] >= gap - 1e-12), "{best:?}");
        for index in 0..5 {
            for step in [-0.01, 0.01] {
                let mut other = best.clone();
                other[index] += step;
                let fits = other.windows(2).zip(gaps).all(|(pair, gap)| pair[1] - pair[0] >= gap - 1e-12);
                assert!(!fits || cost(&other) >= cost(&best), "{other:?} is better than {best:?}");
            }
        }
    }
}
