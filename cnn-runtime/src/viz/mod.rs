//! Pictures of networks and of what they learn, as SVG, PNG and one HTML page.
//!
//! - [`LineChart`], and [`loss_curve`], [`accuracy_curve`] and [`lr_curve`] of a run;
//! - [`confusion_matrix`];
//! - [`filters`] of a layer, [`layer_maps`] of a picture through all layers, and any small pictures in a [`Sheet`];
//! - [`look`]: where in a picture a network finds a class, by [`saliency_map`] and [`grad_cam`], each as an [`overlay`];
//! - [`mistakes`]: what a network takes for something else;
//! - [`Graph`]: a network's layers, with the shapes between them;
//! - [`Report`]: all of it, as one page.
//!
//! Drawings are a [`Figure`], pixels a [`Picture`]. A figure is drawn without a window, a display or fonts of the
//! system; the same values give the same file, byte for byte. Values that are not finite never stop a drawing.
//!
//! The drawings are SVG of this crate's own rather than a plotting library's, so that a page can turn them dark by its
//! style sheet, and the graph and the charts look alike; the feature `png` turns them into pixels.

mod axis;
mod chart;
mod colour;
mod confusion;
mod curves;
mod graph;
mod heat;
mod ink;
mod looks;
mod maps;
mod mistakes;
mod picture;
#[cfg(feature = "png")]
mod raster;
mod report;
mod sheet;
mod spread;
mod svg;

pub use axis::Unit;
pub use chart::LineChart;
pub use colour::Colours;
pub use confusion::confusion_matrix;
pub use curves::{accuracy_curve, loss_curve, lr_curve};
pub use graph::Graph;
pub use heat::{overlay, saliency};
pub use looks::{grad_cam, last_maps, layer_maps, look, saliency_map};
pub use maps::{MANY, feature_maps, filters};
pub use mistakes::{Mistake, mistake_sheet, mistakes};
pub use picture::{Picture, Span};
pub use report::Report;
pub use sheet::Sheet;
pub use svg::Figure;
