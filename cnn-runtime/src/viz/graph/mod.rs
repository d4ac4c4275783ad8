//! The graph of a network.

mod boxes;
mod draw;
mod layout;
#[cfg(test)]
mod tests;

pub(super) use draw::grouped;

use crate::info::NetInfo;
use crate::viz::svg::Figure;

/// The graph of a network as a drawing, from what is known of it at compile time: a box per layer, from the input down,
/// and arrows with the shapes that go along them. What follows a layer and only changes its values, as `bn` and `relu` do,
/// stands in the layer's box.
///
/// ```
/// use cnn_runtime::prelude::*;
/// use cnn_runtime::viz::Graph;
///
/// cnn! { Net <1x8x8> -> conv(4, 3x3) -> relu -> fc(10) }
///
/// let svg = Graph::of(Net::INFO).draw().to_svg();
/// assert!(svg.contains("4x6x6"));
/// ```
#[derive(Clone, Debug)]
pub struct Graph<'n> {
    info: &'n NetInfo,
    fold: bool,
}

impl<'n> Graph<'n> {
    /// The graph of a network, in which three and more copies of a step in a row are drawn once, in a frame that says
    /// how many they are.
    pub fn of(info: &'n NetInfo) -> Self {
        Graph { info, fold: true }
    }

    /// Draws every copy.
    #[must_use]
    pub fn unfolded(mut self) -> Self {
        self.fold = false;
        self
    }

    /// Draws the graph.
    pub fn draw(&self) -> Figure {
        let blocks = boxes::blocks(self.info);
        let (blocks, repeats) = if self.fold { boxes::folded(blocks) } else { (blocks, Vec::new()) };
        draw::draw(self.info, &blocks, &repeats)
    }
}
