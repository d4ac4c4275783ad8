//! What every layer of a network makes of a picture, and how a score depends on it.

use std::sync::Mutex;

use ndarray::{ArrayD, ArrayView4, ArrayViewD, IxDyn};

use crate::desc::{Map, Order};
use crate::error::Error;
use crate::frame::Probe;
use crate::info::{LayerInfo, NetInfo, unknown_layer};
use crate::kernel::order;
use crate::network::Network;
use crate::workspace::{TrainWorkspace, check};

/// The outputs of all layers for a batch, as in inference: nothing is dropped, and batch normalisation goes by its
/// running statistics. Made by [`Network::inspect`]; [`Network::inspect_class`] adds how the score of a class changes
/// with each of them, which saliency maps and Grad-CAM are made of.
///
/// ```
/// use cnn_runtime::prelude::*;
///
/// let net = cnn!(<1x28x28> conv(6, 5x5, s1) -> relu -> pool(2, s2) -> fc(10));
/// let digit = cnn_runtime::ndarray::Array4::zeros((1, 1, 28, 28));
/// let found = net.inspect_class(digit.view(), 3)?;
/// assert_eq!(found.output("pool1")?.shape(), [1, 6, 12, 12]);
/// assert_eq!(found.gradient("pool1")?.shape(), [1, 6, 12, 12]);
/// assert_eq!(found.input_gradient().unwrap().shape(), [1, 1, 28, 28]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Inspection {
    info: &'static NetInfo,
    outputs: Vec<ArrayD<f32>>,
    /// None for layers whose gradient is that of what they read, such as `flatten`; all none without a class.
    gradients: Vec<Option<ArrayD<f32>>>,
    input_gradient: Option<ArrayD<f32>>,
}

impl Inspection {
    /// Looks at `network` while it works on `batch`.
    pub(crate) fn new<N: Network>(
        network: &N,
        batch: ArrayView4<'_, f32>,
        class: Option<usize>,
    ) -> Result<Self, Error> {
        let n = check(N::INFO, usize::MAX, &batch)?;
        let classes = N::INFO.train.output.len;
        if let Some(class) = class.filter(|&class| class >= classes) {
            return Err(Error::DataMismatch {
                what: "class to inspect",
                expected: format!("0 to {}, the scores of {}", classes - 1, N::INFO.name),
                found: class.to_string(),
            });
        }
        let mut workspace = TrainWorkspace::<N>::new(n);
        workspace.fill(batch)?;
        let seen = Seen::new(N::INFO, n);
        workspace.inspect_forward(network, n, &seen);
        let mut input_gradient = None;
        if let Some(class) = class {
            let mut d_output = workspace.output_gradient_mut()?;
            d_output.fill(0.0);
            d_output.column_mut(class).fill(1.0);
            workspace.set_input_gradient(true);
            workspace.inspect_backward(network, &seen)?;
            input_gradient = Some(workspace.input_gradient()?.into_owned().into_dyn());
        }
        Ok(seen.finish(input_gradient))
    }

    /// What is known of the network at compile time.
    pub fn info(&self) -> &'static NetInfo {
        self.info
    }

    /// The layers, in the order in which they work.
    pub fn layers(&self) -> &'static [LayerInfo] {
        self.info.layers
    }

    /// What the layer `name` made of the batch: `[n, c, h, w]` or `[n, features]`. Where an activation is applied as the
    /// layer before it writes its output, that layer shows what the activation made of it.
    ///
    /// # Errors
    /// [`Error::UnknownLayer`] if there is no such layer.
    pub fn output(&self, name: &str) -> Result<ArrayViewD<'_, f32>, Error> {
        Ok(self.outputs[self.find(name)?].view())
    }

    /// The gradient of the score of the class by what the layer `name` made: of the shape of its output.
    ///
    /// # Errors
    /// [`Error::UnknownLayer`] if there is no such layer; [`Error::NoGradient`] if no class was asked for, or if the layer
    /// only passes the gradient on, as `flatten` does, and `add`: ask for the layer before it.
    pub fn gradient(&self, name: &str) -> Result<ArrayViewD<'_, f32>, Error> {
        match &self.gradients[self.find(name)?] {
            Some(gradient) => Ok(gradient.view()),
            None if self.input_gradient.is_none() => Err(self.without_class(name)),
            None => Err(Error::NoGradient {
                network: self.info.name,
                name: name.to_owned(),
                why: "this layer only passes it on; ask for the layer before it",
            }),
        }
    }

    /// The error on a gradient where no class was asked for.
    pub(crate) fn without_class(&self, name: &str) -> Error {
        let why = "no class was asked for; `inspect_class` does";
        Error::NoGradient { network: self.info.name, name: name.to_owned(), why }
    }

    /// The gradient of the score of the class by the batch, `[n, c, h, w]`, if a class was asked for.
    pub fn input_gradient(&self) -> Option<ArrayViewD<'_, f32>> {
        self.input_gradient.as_ref().map(|gradient| gradient.view())
    }

    fn find(&self, name: &str) -> Result<usize, Error> {
        let place = self.info.layers.iter().position(|layer| layer.name == name);
        place.ok_or_else(|| unknown_layer(self.info, name))
    }
}

/// What was seen of a pass so far.
struct Seen {
    info: &'static NetInfo,
    n: usize,
    values: Mutex<[Vec<Option<ArrayD<f32>>>; 2]>,
}

impl Seen {
    fn new(info: &'static NetInfo, n: usize) -> Self {
        Seen { info, n, values: Mutex::new([(); 2].map(|()| vec![None; info.layers.len()])) }
    }

    fn keep(&self, which: usize, layer: usize, order: Order, values: &[f32]) {
        let shape = [&[self.n], self.info.layers[layer].output].concat();
        let values = plain(&shape, order, values);
        let values = ArrayD::from_shape_vec(IxDyn(&shape), values).expect("the slot is as long as the batch");
        // A pass that panicked leaves no half-written array behind.
        let mut all = self.values.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all[which][layer] = Some(values);
    }

    fn finish(self, input_gradient: Option<ArrayD<f32>>) -> Inspection {
        let [outputs, gradients] = self.values.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let outputs = outputs.into_iter().map(|output| output.expect("every layer shows its output")).collect();
        Inspection { info: self.info, outputs, gradients, input_gradient }
    }
}

impl Probe for Seen {
    fn output(&self, layer: usize, order: Order, values: &[f32]) {
        self.keep(0, layer, order, values);
    }

    fn gradient(&self, layer: usize, order: Order, values: &[f32]) {
        self.keep(1, layer, order, values);
    }
}

/// A copy of values of this shape, brought into NCHW order.
fn plain(shape: &[usize], order: Order, values: &[f32]) -> Vec<f32> {
    match (order, shape) {
        (Order::Nchw16c | Order::Chwn16, &[n, c, h, w]) => {
            let mut plain = vec![0.0; values.len()];
            order::change(&Map { c, h, w, order }, n, values, &mut plain);
            plain
        }
        _ => values.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::plain;
    use crate::desc::{Map, Order};
    use crate::kernel::order;
    use crate::testing::uniform;

    #[test]
    fn blocks_are_shown_as_nchw() {
        let (shape, map) = ([2, 32, 3, 5], Map::new(32, 3, 5));
        let values = uniform(1, 2 * map.len());
        let mut blocks = vec![0.0; values.len()];
        order::change(&map, 2, &values, &mut blocks);
        assert_eq!(plain(&shape, Order::Nchw16c, &blocks), values);
        assert_eq!(plain(&shape, Order::Nchw, &values), values);
        assert_eq!(plain(&[6, 160], Order::Nchw, &values), values);
    }
}
