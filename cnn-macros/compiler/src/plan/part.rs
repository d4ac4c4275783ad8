//! How many samples pass through all layers together at inference.

use crate::ir::Cost;

/// Samples of a part: whole groups of [`Order::Chwn16`](super::order::Order::Chwn16).
const PART: usize = 16;
/// Most multiply-accumulates of a sample: of larger networks, threads share each layer without losing time.
const MOST_MACS: u64 = 1 << 22;
/// Least multiply-accumulates for each parameter: each part reads all of them anew, which is to take a small part of its time.
const LEAST_MACS_PER_PARAM: u64 = 5;

/// The most samples of a part, if large batches of a network that costs so much are to pass in parts.
pub fn part(network: Cost) -> Option<usize> {
    let Cost { params, macs } = network;
    let is_small = macs <= MOST_MACS && params.saturating_mul(LEAST_MACS_PER_PARAM) <= macs;
    is_small.then_some(PART)
}

#[cfg(test)]
mod tests {
    use super::part;
    use crate::testing::{Builder, lenet5};

    #[test]
    fn small_networks_pass_in_parts() {
        assert_eq!(part(lenet5().cost()), Some(16));
        // Few multiply-accumulates, and all of them with weights of their own.
        let mut net = Builder::new(1, 28, 28);
        let x = net.fc(0, 30);
        net.fc(x, 10);
        assert_eq!(part(net.graph().cost()), None);
        let mut net = Builder::new(3, 64, 64);
        net.conv(0, 64, 3, 1, 1, 1);
        assert_eq!(part(net.graph().cost()), None);
    }
}
