//! How many samples pass through all layers together at inference.

use super::order::Order;
use crate::ir::Cost;

/// Samples of a part of a small network: whole groups of [`Order::Chwn16`].
const PART: usize = 16;
/// Most multiply-accumulates of a sample of a small network.
const SMALL_MACS: u64 = 1 << 22;
/// Most multiply-accumulates of a sample: of larger networks, threads share each layer without losing time.
const MOST_MACS: u64 = 1 << 26;
/// Least multiply-accumulates for each parameter: each part reads all of them anew, which is to take a small part of its time.
const LEAST_MACS_PER_PARAM: u64 = 5;
/// Most floats of an arena of a part: what a second-level cache holds. In more, a part is read from memory as a batch is,
/// and the arenas of all parts may be several times what the batch takes at once.
const MOST_FLOATS: usize = 1 << 18;
/// The same of a larger network, with room for the weights of a layer.
const MOST_OF_LARGER: usize = 3 << 15;

/// The most samples of a part, if large batches of a network that costs so much, whose values have these orders, and that
/// takes `per_sample` floats of an arena, are to pass in parts.
///
/// Samples of a small network share what a layer takes to begin; of a larger one, each fills the caches alone.
pub fn part(network: Cost, orders: &[Order], per_sample: usize) -> Option<usize> {
    let Cost { params, macs } = network;
    if params.saturating_mul(LEAST_MACS_PER_PARAM) > macs {
        return None;
    }
    if macs <= SMALL_MACS && per_sample <= MOST_FLOATS / PART {
        return Some(PART);
    }
    let alone = macs <= MOST_MACS && per_sample <= MOST_OF_LARGER && !orders.contains(&Order::Chwn16);
    alone.then_some(1)
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
    fn samples_of_larger_networks_pass_alone_if_they_fit_a_cache() {
        for (size, expected) in [(32, Some(1)), (64, None)] {
            let mut net = Builder::new(16, size, size);
            let x = net.conv(0, 32, 3, 1, 1, 1);
            net.conv(x, 32, 3, 1, 1, 1);
            assert_eq!(compile(net.graph()).part, expected);
        }
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
