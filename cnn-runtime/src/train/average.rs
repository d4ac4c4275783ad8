//! Weights averaged over the steps of a run.

use crate::buffer::Buffer;
use crate::kernel::pieces::{CHUNK, each_with};
use crate::network::Network;

/// The moving average of a network's parameters and running statistics, the last steps counting most (Polyak and
/// Juditsky 1992; its exponential form as in Szegedy et al. 2016, section 8).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Average {
    pub(super) decay: f32,
    pub(super) steps: u64,
    pub(super) values: Buffer,
    pub(super) state: Buffer,
}

impl Average {
    /// The average that starts at the network as it is.
    pub(super) fn new<N: Network>(network: &N, decay: f32) -> Self {
        let params = network.params();
        let (values, state) = (Buffer::from_slice(params.values()), Buffer::from_slice(params.state()));
        Average { decay, steps: 0, values, state }
    }

    /// Takes the network after another step in. The first steps count for more, since the start means nothing.
    pub(super) fn add<N: Network>(&mut self, network: &mut N) {
        let steps = self.steps as f32;
        let new = 1.0 - self.decay.min((1.0 + steps) / (10.0 + steps));
        self.steps += 1;
        let params = network.params_mut();
        blend(&mut self.values, params.values_mut(), new);
        blend(&mut self.state, params.state_mut(), new);
    }

    /// Exchanges the average and what the network holds.
    pub(super) fn swap<N: Network>(&mut self, network: &mut N) {
        let params = network.params_mut();
        params.values_mut().swap_with_slice(&mut self.values);
        params.state_mut().swap_with_slice(&mut self.state);
    }
}

/// Moves `average` by the part `new` of the way towards `values`, which stay as they are.
fn blend(average: &mut [f32], values: &mut [f32], new: f32) {
    let len = values.len();
    each_with(average, [values], CHUNK, 2 * len, |_, average, [values]| {
        average.iter_mut().zip(&*values).for_each(|(average, value)| *average += new * (value - *average));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toy::Toy;

    #[test]
    fn follows_the_formula_and_leaves_the_network_alone() {
        let mut net = Toy::new(1);
        let mut average = Average::new(&net, 0.5);
        let mut expected = net.params().values()[0];
        for step in 0..12 {
            net.params_mut().values_mut()[0] = step as f32;
            average.add(&mut net);
            let decay = 0.5f32.min((1.0 + step as f32) / (10.0 + step as f32));
            expected = decay * expected + (1.0 - decay) * step as f32;
            assert_eq!(net.params().values()[0], step as f32);
            assert!((average.values[0] - expected).abs() < 1e-5, "{} against {expected}", average.values[0]);
        }
        average.swap(&mut net);
        assert_eq!((average.values[0], average.steps), (11.0, 12));
        assert!((net.params().values()[0] - expected).abs() < 1e-5);
    }
}
