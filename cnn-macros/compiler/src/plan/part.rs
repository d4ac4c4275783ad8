//! How many samples pass through all layers together at inference.

use crate::ir::Cost;

/// Samples of a part: whole groups of [`Order::Chwn16`](super::order::Order::Chwn16).
const PART: usize = 16;
/// Most multiply-accumulates of a sample: of larger networks, threads share each layer without losing time.
const MOST_MACS: u64 = 1 << 22;
/// Least multiply-accumulates for each parameter: each part reads all of them anew, which is to take a small part of its time.
const LEAST_MACS_PER_PARAM: u64 = 5;
/// Most floats of an arena of a part: what a second-level cache holds. In more, a part is read from memory as a batch is,
/// and the arenas of all parts may be several times what the batch takes at once.
const MOST_FLOATS: usize = 1 << 18;

/// The most samples of a part, if large batches of a network that costs so much, and takes `per_sample` floats of an arena,
/// are to pass in parts.
pub fn part(network: Cost, per_sample: usize) -> Option<usize> {
    let Cost { params, macs } = network;
    let is_small = macs <= MOST_MACS && params.saturating_mul(LEAST_MACS_PER_PARAM) <= macs;
    (is_small && per_sample <= MOST_FLOATS / PART).then_some(PART)
}

#[cfg(test)]
mod tests {
    use crate::compile::compile;
    use crate::testing::{Builder, lenet5};

    #[test]
    fn small_networks_pass_in_parts() {
        assert_eq!(compile(&lenet5()).part, Some(16));
        // Few multiply-accumulates, and all of them with weights of their own.
        let mut net = Builder::new(1, 28, 28);
        let x = net.fc(0, 30);
        net.fc(x, 10);
        assert_eq!(compile(net.graph()).part, None);
        let mut net = Builder::new(3, 64, 64);
        net.conv(0, 64, 3, 1, 1, 1);
        assert_eq!(compile(net.graph()).part, None);
    }

    #[test]
    fn large_maps_pass_at_once_though_little_is_computed() {
        let mut net = Builder::new(3, 1080, 1920);
        net.max_pool(0, 4, 4);
        assert_eq!(compile(net.graph()).part, None);
        let mut net = Builder::new(1, 256, 256);
        let x = net.conv(0, 4, 3, 1, 1, 1);
        net.max_pool(x, 2, 2);
        assert_eq!(compile(net.graph()).part, None);
    }
}
