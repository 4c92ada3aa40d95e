//! What happened in a training run, without any tensor: whoever shows, compares or continues runs needs no back end.
//!
//! A run tells what happens as [`Event`]s, and whoever takes note of them is a [`Sink`]: [`RunFolder`] holds the
//! configuration and `metrics.jsonl`, a line each, which [`read_events`] gives back; [`Csv`] writes a table, and
//! [`TensorBoard`] curves. [`RunSummary`] is what a folder tells of its run, whatever became of it.
//!
//! ```
//! use gptune_run::{Event, RunFolder, read_events};
//!
//! # let outer = tempfile::tempdir()?;
//! let path = outer.path().join("run");
//! let run = RunFolder::create(&path, "lr = 0.1\n")?;
//! run.append(&Event::Initial { train_loss: 3.8, val_loss: 3.7 })?;
//! assert_eq!(read_events(&path.join("metrics.jsonl"))?.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
