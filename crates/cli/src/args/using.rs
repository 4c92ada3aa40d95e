//! Using a model, and looking at data as it does.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use gptune_data::{Order, Part, PromptStyle};

#[derive(Debug, Args)]
pub(crate) struct EvaluateArgs {
    /// The model: a folder, a file of weights or a name
    #[arg(long, short)]
    pub model: String,
    /// The data: a JSON or JSON Lines file, or sample, book, alpaca
    #[arg(long, short)]
    pub data: String,
    /// The part to evaluate: train, val, test or all
    #[arg(long)]
    pub split: Part,
    /// Only the first N batches
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub batches: usize,
    /// How instructions become text [default: as the model was trained, else book]
    #[arg(long)]
    pub prompt_style: Option<PromptStyle>,
    #[command(flatten)]
    pub batch: BatchArgs,
    /// Compute padding too, to compare: the result is the same
    #[arg(long)]
    pub no_packing: bool,
    /// Compute what sequences begin with in common for each of them, to compare: the result is the same
    #[arg(long)]
    pub no_prefix_sharing: bool,
    /// Where to compute
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// The model: a folder, a file of weights or a name
    #[arg(long, short)]
    pub model: String,
    /// The text to continue
    #[arg(long, short, allow_hyphen_values = true)]
    pub prompt: String,
    /// Most tokens to add
    #[arg(long, default_value_t = 35)]
    pub max_new_tokens: usize,
    /// Draw tokens at this temperature instead of taking the most likely
    #[arg(long, default_value_t = 0.0)]
    pub temperature: f64,
    /// Draw among the K most likely tokens only
    #[arg(long, value_name = "K")]
    pub top_k: Option<usize>,
    /// Seed of the draws
    #[arg(long, default_value_t = 123)]
    pub seed: u64,
    /// Stop at the end-of-text token
    #[arg(long)]
    pub stop_at_eot: bool,
    /// Where to compute
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RespondArgs {
    /// The model: a folder, a file of weights or a name
    #[arg(long, short)]
    pub model: String,
    /// The data [default: what the model was trained on, if its run folder tells]
    #[arg(long, short)]
    pub data: Option<String>,
    /// The part to answer: train, val, test or all
    #[arg(long, default_value_t = Part::Test)]
    pub split: Part,
    /// Only the first N examples of the part
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Longest answer in tokens
    #[arg(long, default_value_t = 256)]
    pub max_new_tokens: usize,
    /// How instructions become text [default: as the model was trained, else book]
    #[arg(long)]
    pub prompt_style: Option<PromptStyle>,
    /// Write the answers to this file
    #[arg(long, short, default_value = "instruction-data-with-response.json")]
    pub out: PathBuf,
    /// Where to compute
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// Print a summary as one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ScoreArgs {
    /// Answers as `respond` writes them
    pub responses: PathBuf,
    /// Compare with another model's answers to the same examples
    #[arg(long, value_name = "RESPONSES")]
    pub against: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Data and how to cut it into batches, as in training.
#[derive(Debug, Args)]
pub(crate) struct BatchArgs {
    /// Order of the training part: torch, shuffle, length
    #[arg(long, default_value_t = Order::Torch)]
    pub order: Order,
    /// Seed of that order
    #[arg(long, default_value_t = 123)]
    pub seed: u32,
    /// Sequences in a batch
    #[arg(long, default_value_t = 8)]
    pub batch_size: usize,
    /// Longest sequence in tokens
    #[arg(long, default_value_t = 1024)]
    pub max_length: usize,
    /// Leave the prompt without loss
    #[arg(long)]
    pub mask_instructions: bool,
    /// Keep only the first N training examples
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub train_limit: usize,
}

#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    #[command(subcommand)]
    pub command: DataCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Print the batches of a part: inputs, and targets with -100 where there is no loss
    Batches(BatchesArgs),
}

#[derive(Debug, Args)]
pub(crate) struct BatchesArgs {
    /// The data: a JSON or JSON Lines file, or sample, book, alpaca
    #[arg(long, short)]
    pub data: String,
    /// The part: train, val, test or all
    #[arg(long, default_value_t = Part::Train)]
    pub split: Part,
    /// Only the first N batches
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// How instructions become text
    #[arg(long, default_value_t = PromptStyle::default())]
    pub prompt_style: PromptStyle,
    #[command(flatten)]
    pub batch: BatchArgs,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}
