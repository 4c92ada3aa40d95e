//! Measuring and checking a machine.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// What to check: auto, or a back end of this build with an optional :INDEX
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// Write what the device computed into this file
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// What `gptune bench` measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum BenchTask {
    /// Steps of fine-tuning: forward, backward and update
    Train,
    /// Evaluations of five batches
    Evaluate,
    /// Answers, as many at once as a batch has sequences
    Generate,
    /// The matrix products of a training step
    Products,
    /// Nothing: print the prompts of `generate` as ids, for another program to answer
    Prompts,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// What to measure
    pub task: BenchTask,
    /// The model: a folder, a file of weights or a name
    #[arg(long, short)]
    pub model: String,
    /// The data: a JSON or JSON Lines file, or sample, book, alpaca
    #[arg(long, short)]
    pub data: String,
    /// Measurements to take
    #[arg(long, value_name = "N", default_value = "8")]
    pub steps: NonZeroUsize,
    /// Measurements to leave out before these: the first ones pay for memory that later ones have
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub warmup: usize,
    /// Tokens to generate for each answer
    #[arg(long, value_name = "N", default_value = "64")]
    pub new_tokens: NonZeroUsize,
    /// Sequences in a batch
    #[arg(long, value_name = "N", default_value = "8")]
    pub batch_size: NonZeroUsize,
    /// Use Burn's own operations on padded batches, to compare
    #[arg(long)]
    pub plain_burn: bool,
    /// Where to compute
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}
