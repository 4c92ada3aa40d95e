#![doc = include_str!("../README.md")]

mod checkpoint;
mod csv;
mod error;
mod event;
mod folder;
mod memory;
mod sink;
mod summary;
mod tensorboard;

pub use checkpoint::{Best, Checkpoint, Progress, Stored};
pub use csv::Csv;
pub use error::RunError;
pub use event::{Event, read_events};
pub use folder::RunFolder;
pub use memory::peak_memory_bytes;
pub use sink::Sink;
pub use summary::{ANSWERS, RunState, RunSummary, ValidationLoss};
pub use tensorboard::TensorBoard;
