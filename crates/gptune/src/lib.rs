//! Fine-tunes pretrained GPT-2 models to follow instructions: what the program `gptune` does, for programs.
//!
//! A [`RunConfig`] names a model and data; [`Run`] trains, and leaves a folder with the model, its metrics and a report.
//!
//! ```
#![doc = include_str!("../examples/fine_tune.rs")]
//! ```
//!
//! The crates below can be used alone: `gptune-train` for a loop around steps of one's own, `gptune-weights` for
//! checkpoints, and so on. This one is glue; its errors are sentences for people.

pub mod about;
mod answers;
pub mod assets;
mod config;
pub mod data;
pub mod device;
pub mod download;
pub mod folder;
pub mod model;
mod run;
mod run_report;
pub mod runs;
pub mod scores;
pub mod self_check;
pub mod text;
pub mod voice;

pub use answers::{ask, respond_all};
pub use config::{OutputConfig, RunConfig, SourceConfig};
pub use gptune_train::{DataConfig, LoopConfig, OptimConfig};
pub use run::{Extension, Given, LEFT_OUT, Run, Trained, tell_left_out};
pub use run_report::summary;
pub use voice::{Progress, Silent, Voice, Work};

/// Something that cannot be done: what, where, and what to do about it.
pub type Error = anyhow::Error;

/// The result of something that may not be possible.
pub type Result<T> = anyhow::Result<T>;
