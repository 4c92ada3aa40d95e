#![doc = include_str!("../README.md")]

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
