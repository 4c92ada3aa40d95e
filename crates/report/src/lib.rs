//! What a person looks at after a run.
//!
//! [`LossPlot`] is made from the run's events and draws itself as SVG, and as PNG from that SVG.

mod axis;
mod loss_plot;
mod png;

pub use loss_plot::LossPlot;
pub use png::{PngError, svg_to_png};
