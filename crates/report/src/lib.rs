#![doc = include_str!("../README.md")]
//!
//! # The parts
//!
//! [`LossPlot`] is made from the run's events and draws itself as SVG, and as PNG from that SVG.
//! [`RunReport`] adds what the run was given and what came of it, and writes one HTML page that
//! fetches nothing.

mod axis;
mod facts;
mod html;
mod loss_plot;
mod png;
mod run_report;

pub use loss_plot::LossPlot;
pub use png::{PngError, svg_to_png};
pub use run_report::{Answer, DataFacts, Estimate, Metric, Reply, RunReport, Scale, Score, Scores};
