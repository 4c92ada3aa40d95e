#![doc = include_str!("../README.md")]
//!
//! # The parts
//!
//! [`LossPlot`] is made from the run's events and draws itself as SVG, and as PNG from that SVG.
//! [`RunReport`] adds what the run was given and what came of it, and writes one HTML page that
//! fetches nothing; [`RunComparison`] sets several runs side by side on such a page, and [`Inspection`] shows what of
//! data would be trained.
//!
//! ```
//! use gptune_report::{ComparedRun, RunComparison};
//! use gptune_run::Event;
//!
//! let run = |name: &str, val_loss| ComparedRun {
//!     name: name.to_owned(),
//!     state: "completed".to_owned(),
//!     events: vec![Event::Eval { epoch: 1, step: 0, tokens_seen: 488, train_loss: 2.6, val_loss }],
//!     ..ComparedRun::default()
//! };
//! let runs = vec![run("small", 2.7), run("medium", 2.4)];
//! assert!(RunComparison { runs, ..RunComparison::default() }.to_html().contains("Lowest of all: B, 2.400 at step 0"));
//! ```

mod axis;
mod comparison;
mod facts;
mod html;
mod inspection;
mod loss_plot;
mod png;
mod run_report;
mod thinning;

pub use comparison::{ComparedRun, RunComparison, RunScore};
pub use inspection::{InspectedEntry, InspectedPart, Inspection, PartKind};
pub use loss_plot::LossPlot;
pub use png::{PngError, svg_to_png};
pub use run_report::{Answer, DataFacts, Estimate, Metric, Reply, RunReport, Scale, Score, Scores};
