//! Looking at data, and changing them.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use gptune_data::{Compared, Fractions, KnownShape, Part, Shape};

use super::{
    numbers::{count, length, similarity},
    using::{BatchArgs, TextArgs},
};

#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    #[command(subcommand)]
    pub command: DataCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Show what is trained of the first examples: in colours here, or as a page
    Inspect(InspectArgs),
    /// Count what there is: lengths, tokens, what is trained, what would be cut
    Stats(StatsArgs),
    /// Find what is wrong with data, or may be: bad entries, repetitions, leaks, ends that are never taught
    Check(CheckArgs),
    /// Write data in another format or shape
    Convert(ConvertArgs),
    /// Write the parts of data into files of their own
    Split(SplitArgs),
    /// Leave out entries that repeat others, or almost
    Dedupe(DedupeArgs),
    /// Print the batches of a part: inputs, and targets with -100 where there is no loss
    Batches(BatchesArgs),
}

#[derive(Debug, Args)]
pub(crate) struct BatchesArgs {
    /// The data: a file (JSON, JSON Lines, CSV, TSV, Parquet, also gzip or zstd), a folder or pattern of files, - for standard
    /// input, or sample, book, alpaca
    #[arg(long, short)]
    pub data: String,
    /// The part: train, val, test or all
    #[arg(long, default_value_t = Part::Train)]
    pub split: Part,
    /// Only the first N batches
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    #[command(flatten)]
    pub text: TextArgs,
    /// Take these special tokens for tokens of the tokenizer too, with commas between
    #[arg(long, value_name = "TOKEN,...", value_delimiter = ',')]
    pub add_tokens: Vec<String>,
    /// The model to make batches for: its tokenizer, its template and its settings
    #[arg(long, short)]
    pub model: Option<String>,
    /// Take data that have changed since the model was trained on them
    #[arg(long, requires = "model")]
    pub force: bool,
    #[command(flatten)]
    pub batch: BatchArgs,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Data, and the model that they are for.
#[derive(Debug, Args)]
pub(crate) struct LookArgs {
    /// The data: a file (JSON, JSON Lines, CSV, TSV, Parquet, also gzip or zstd), a folder or pattern of files, - for standard
    /// input, or sample, book, alpaca
    #[arg(long, short)]
    pub data: String,
    /// The model that they are for: its tokenizer, its template and its context [default: GPT-2's own]
    #[arg(long, short)]
    pub model: Option<String>,
    #[command(flatten)]
    pub text: TextArgs,
    /// Take these special tokens for tokens of the tokenizer too, with commas between
    #[arg(long, value_name = "TOKEN,...", value_delimiter = ',')]
    pub add_tokens: Vec<String>,
    /// Let text that reads like a special token become that token
    #[arg(long)]
    pub special_tokens: bool,
    /// Train on responses only, not on instructions
    #[arg(long)]
    pub mask_instructions: bool,
    /// Longest sequence in tokens [default: 1024, or the model's context if that is shorter]
    #[arg(long, value_parser = length)]
    pub max_length: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub look: LookArgs,
    /// The first entry to show, counting from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub first: usize,
    /// How many to show
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = count)]
    pub limit: usize,
    /// Show what is trained by colours instead of brackets [default: auto, which is on a terminal, unless `NO_COLOR` is set]
    #[arg(long, value_name = "WHEN", default_value = "auto", hide_default_value = true)]
    pub color: Colour,
    /// Write a page of its own to this file instead
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long, conflicts_with = "html")]
    pub json: bool,
}

/// When to write in colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    pub look: LookArgs,
    /// Sequences in a batch, for what padding would cost
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = count)]
    pub batch_size: usize,
    /// Keep token ids in this folder instead of in memory, and take them from there
    #[arg(long, value_name = "DIR")]
    pub token_cache: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub look: LookArgs,
    /// Parts in per cent, for what the training part gives away: TRAIN/TEST/VAL
    #[arg(long, value_name = "A/B/C", default_value_t = Fractions::default())]
    pub split: Fractions,
    /// Shuffle with this seed before, as in training; 0 keeps the order of the file
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub split_seed: u32,
    /// How similar near repetitions are, above 0 and below 1, by the instruction; 1 does not search them
    #[arg(long, default_value_t = 0.9, value_parser = similarity)]
    pub threshold: f64,
    /// Exit with 1 if anything was found
    #[arg(long)]
    pub strict: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    /// The data
    #[arg(long, short)]
    pub data: String,
    /// Which keys of a record hold what [default: what the first record shows]
    #[arg(long, value_name = "NAME=KEY,...", requires = "shape")]
    pub fields: Option<Shape>,
    /// The shape to write: alpaca, messages, sharegpt, prompt-completion, question-answer, dolly, text [default: every key as
    /// it is]
    #[arg(long)]
    pub shape: Option<KnownShape>,
    /// How an instruction and its input become one message, and for the shape text a conversation a text [default: book]
    #[arg(long = "template", requires = "shape", visible_alias = "prompt-style", value_name = "NAME|FILE")]
    pub prompt_style: Option<String>,
    /// Leave out entries that cannot be used
    #[arg(long)]
    pub skip_bad: bool,
    /// Where to: its ending says the format: .json, .jsonl, .csv or .tsv, each also with .gz or .zst after it, or .parquet
    pub out: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    pub overwrite: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SplitArgs {
    /// The data
    #[arg(long, short)]
    pub data: String,
    /// Parts in per cent, as in training: TRAIN/TEST/VAL
    #[arg(long, value_name = "A/B/C", default_value_t = Fractions::default())]
    pub split: Fractions,
    /// Shuffle with this seed before; 0 keeps the order of the file
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub split_seed: u32,
    /// Leave out what is no record at all; the others stay in their parts
    #[arg(long)]
    pub skip_bad: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
    /// The folder to write train.jsonl, test.jsonl and val.jsonl into, new or empty
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct DedupeArgs {
    /// The data
    #[arg(long, short)]
    pub data: String,
    /// Which keys of a record hold what [default: what the first record shows]
    #[arg(long, value_name = "NAME=KEY,...")]
    pub fields: Option<Shape>,
    /// What is compared: instruction, input, output, or all that is said
    #[arg(long, default_value = "all")]
    pub by: Compared,
    /// Leave out near repetitions too, if they are more similar than this, above 0; 1 is exact repetitions alone
    #[arg(long, default_value_t = 1.0, value_parser = similarity)]
    pub threshold: f64,
    /// Leave out entries that cannot be used
    #[arg(long)]
    pub skip_bad: bool,
    /// Where to write what is left, as in convert; without it nothing is written
    pub out: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long)]
    pub overwrite: bool,
    /// Print the pairs as one JSON document
    #[arg(long)]
    pub json: bool,
}
