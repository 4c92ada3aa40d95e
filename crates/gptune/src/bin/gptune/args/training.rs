//! Training a model.

use std::path::PathBuf;

use clap::Args;
use gptune_data::{Fractions, Order, TooLong};
use gptune_train::{DecayOn, Precision, Schedule};
use serde::{Deserialize, Serialize};

use super::{
    SizeArgs,
    numbers::{count, from_0, length, name, positive, share},
};

const MODEL: &str = "Model and run";
const DATA: &str = "Data";
const OPTIMISATION: &str = "Optimisation";
const WATCHING: &str = "Evaluations, samples and answers";
const MACHINE: &str = "Machine";

/// Examples shown below the flags.
const EXAMPLES: &str = "Examples:
  gptune train                                             the built-in model on the built-in data
  gptune train --model gpt2 --data my-data.json            GPT-2 124M, the book's settings
  gptune train --recipe gpt2-medium-book                   the book's chapter 7
  gptune train --train-data a.json --val-data b.json       parts of one's own
  gptune train --resume runs/NAME                          go on with a run that was broken off
  gptune train --model runs/NAME/model --data more.json    go on from a finished run

Every flag is a key of a recipe too (with _ for -); config.toml of each run is one.";

/// What a run that is gone on with has been given already.
const RESUMED: [&str; 57] = [
    "model",
    "tie_head",
    "recipe",
    "out",
    "name",
    "data",
    "train_data",
    "val_data",
    "test_data",
    "split",
    "split_seed",
    "skip_bad",
    "too_long",
    "special_tokens",
    "prompt_style",
    "fields",
    "add_tokens",
    "token_cache",
    "mask_instructions",
    "max_length",
    "train_limit",
    "order",
    "seed",
    "batch_size",
    "grad_accum",
    "max_grad_norm",
    "lr",
    "schedule",
    "warmup",
    "min_lr",
    "weight_decay",
    "weight_decay_on",
    "freeze",
    "train_only",
    "beta_1",
    "beta_2",
    "eps",
    "dropout",
    "eval_every",
    "eval_batches",
    "no_eval",
    "keep_best",
    "patience",
    "tensorboard",
    "sample_tokens",
    "respond",
    "response_tokens",
    "preview",
    "device",
    "precision",
    "no_packing",
    "no_prefix_sharing",
    "dry_run",
    "checkpoint_every",
    "checkpoint_minutes",
    "no_checkpoint",
    "keep_checkpoint",
];

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TrainArgs {
    /// Start from this model: a folder, a file of weights, the folder of a run, or nano, gpt2, gpt2-medium, gpt2-large,
    /// gpt2-xl, or OWNER/NAME on the Hugging Face Hub [default: nano]
    #[arg(long, short, help_heading = MODEL)]
    pub model: Option<String>,
    /// Keep the output head tied to the token embedding
    #[arg(long, help_heading = MODEL, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    pub tie_head: Option<bool>,
    /// Take settings from a recipe: a TOML file, or quickstart, gpt2-small, gpt2-medium-book, alpaca; its settings go
    /// before the defaults shown here [default: quickstart for nano and what was trained from it]
    #[arg(long, help_heading = MODEL)]
    pub recipe: Option<String>,
    /// Go on with the run in this folder, which was broken off, to its end; --epochs and --max-steps may extend it
    #[arg(long, help_heading = MODEL, value_name = "RUN", conflicts_with_all = RESUMED)]
    pub resume: Option<PathBuf>,
    /// Write the run into this new or empty folder [default: runs/BASE-DATA-TIME]
    #[arg(long, short, help_heading = MODEL)]
    pub out: Option<PathBuf>,
    /// Call the run this, and write it into runs/NAME
    #[arg(long, help_heading = MODEL, conflicts_with = "out", value_parser = name)]
    pub name: Option<String>,

    /// Train on this data: a file (JSON, JSON Lines, CSV, TSV, Parquet, also gzip or zstd), a folder or pattern of files, - for
    /// standard input, or sample, book, alpaca; it is split [default: sample]
    #[arg(long, short, help_heading = DATA)]
    pub data: Option<String>,
    /// Train on this file, which is not split, instead of --data
    #[arg(long, help_heading = DATA, conflicts_with = "data")]
    pub train_data: Option<String>,
    /// Validate with this file, beside --train-data
    #[arg(long, help_heading = DATA, conflicts_with = "data")]
    pub val_data: Option<String>,
    /// Answer this file, beside --train-data
    #[arg(long, help_heading = DATA, conflicts_with = "data")]
    pub test_data: Option<String>,
    /// Parts of --data in per cent: TRAIN/TEST/VAL [default: 85/10/5]
    #[arg(long, help_heading = DATA, value_name = "A/B/C", conflicts_with = "train_data")]
    pub split: Option<Fractions>,
    /// Shuffle --data with this seed before it is split; 0 keeps the order of the file [default: 0]
    #[arg(long, help_heading = DATA, value_name = "SEED")]
    pub split_seed: Option<u32>,
    /// Leave out entries that cannot be used, and write them to left-out.jsonl in the run
    #[arg(long, help_heading = DATA, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    pub skip_bad: Option<bool>,
    /// What becomes of examples longer than --max-length: cut, skip, refuse [default: cut]
    #[arg(long, help_heading = DATA)]
    pub too_long: Option<TooLong>,
    /// Let text that reads like a special token of the tokenizer, such as <|endoftext|>, become that token
    #[arg(long, help_heading = DATA, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    pub special_tokens: Option<bool>,
    /// How conversations become texts: book, alpaca, phi3, chatml, zephyr, or a file of TOML or Jinja [default: as the model
    /// was trained, else book]
    #[arg(long = "template", visible_alias = "prompt-style", help_heading = DATA, value_name = "NAME|FILE")]
    pub prompt_style: Option<String>,
    /// Which keys of a record hold what, such as instruction=question,output=answer, or messages=KEY, or text=KEY [default:
    /// what the first record shows]
    #[arg(long, help_heading = DATA, value_name = "NAME=KEY,...")]
    pub fields: Option<String>,
    /// Add these special tokens to the model's tokenizer, with commas between; their rows of the table are the mean of all
    #[arg(long, help_heading = MODEL, value_name = "TOKEN,...", value_delimiter = ',')]
    pub add_tokens: Option<Vec<String>>,
    /// Keep token ids in this folder, and take them from there when the same data are asked for again: for data that are
    /// larger than memory
    #[arg(long, help_heading = DATA, value_name = "DIR")]
    pub token_cache: Option<String>,
    /// Train on responses only, not on instructions
    #[arg(long, help_heading = DATA, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    pub mask_instructions: Option<bool>,
    /// Longest sequence in tokens [default: 1024, or the model's context if that is shorter]
    #[arg(long, help_heading = DATA, value_parser = length)]
    pub max_length: Option<usize>,
    /// Keep only the first N training examples
    #[arg(long, help_heading = DATA, value_name = "N")]
    pub train_limit: Option<usize>,
    /// Order of the training data: torch (PyTorch's, bit by bit), shuffle, length [default: torch]
    #[arg(long, help_heading = DATA)]
    pub order: Option<Order>,
    /// Seed of the data order and of dropout [default: 123]
    #[arg(long, help_heading = DATA)]
    pub seed: Option<u32>,

    /// Passes over the training data [default: 2]
    #[arg(long, help_heading = OPTIMISATION, value_parser = count)]
    pub epochs: Option<usize>,
    /// Stop after this many steps
    #[arg(long, help_heading = OPTIMISATION)]
    pub max_steps: Option<usize>,
    /// Sequences in a batch [default: 8]
    #[arg(long, help_heading = OPTIMISATION, value_parser = count)]
    pub batch_size: Option<usize>,
    /// Batches whose gradients make one update; --batch-size 4 --grad-accum 2 trains as --batch-size 8 [default: 1]
    #[arg(long, help_heading = OPTIMISATION, value_name = "N", value_parser = count)]
    pub grad_accum: Option<usize>,
    /// Scale gradients down to this norm over all parameters, 0 for never [default: 0]
    #[arg(long, help_heading = OPTIMISATION, value_name = "X", value_parser = from_0)]
    pub max_grad_norm: Option<f64>,
    /// Learning rate [default: 5e-5; 2e-4 for nano and what was trained from it]
    #[arg(long, help_heading = OPTIMISATION, value_parser = positive)]
    pub lr: Option<f64>,
    /// How the learning rate changes over the run: constant, linear, cosine, wsd (falls over the last fifth) [default: constant]
    #[arg(long, help_heading = OPTIMISATION)]
    pub schedule: Option<Schedule>,
    /// Steps over which the learning rate rises from 0; below 1, their share of all steps [default: 0]
    #[arg(long, help_heading = OPTIMISATION, value_name = "N|SHARE", value_parser = from_0)]
    pub warmup: Option<f64>,
    /// The learning rate that the schedule falls to [default: 0]
    #[arg(long, help_heading = OPTIMISATION, value_parser = from_0)]
    pub min_lr: Option<f64>,
    /// Decoupled weight decay [default: 0.1]
    #[arg(long, help_heading = OPTIMISATION, value_parser = from_0)]
    pub weight_decay: Option<f64>,
    /// Parameters with weight decay: all, or matrices, which leaves out biases and norms [default: all]
    #[arg(long, help_heading = OPTIMISATION, value_name = "WHICH")]
    pub weight_decay_on: Option<DecayOn>,
    /// Leave parameters as they are: patterns of names, such as wte or 'h.*.attn', several with commas
    #[arg(long, help_heading = OPTIMISATION, value_name = "PATTERN", value_delimiter = ',', num_args = 1)]
    pub freeze: Option<Vec<String>>,
    /// Train these parameters only, but for those of --freeze: patterns of names, such as 'h.*.mlp'
    #[arg(long, help_heading = OPTIMISATION, value_name = "PATTERN", value_delimiter = ',', num_args = 1)]
    pub train_only: Option<Vec<String>>,
    /// AdamW's first decay rate [default: 0.9]
    #[arg(long, help_heading = OPTIMISATION, value_parser = share)]
    pub beta_1: Option<f64>,
    /// AdamW's second decay rate [default: 0.999]
    #[arg(long, help_heading = OPTIMISATION, value_parser = share)]
    pub beta_2: Option<f64>,
    /// AdamW's epsilon [default: 1e-8]
    #[arg(long, help_heading = OPTIMISATION, value_parser = positive)]
    pub eps: Option<f64>,
    /// Dropout while training [default: 0]
    #[arg(long, help_heading = OPTIMISATION, value_parser = share)]
    pub dropout: Option<f64>,

    /// Steps between evaluations [default: 5]
    #[arg(long, help_heading = WATCHING, value_parser = count)]
    pub eval_every: Option<usize>,
    /// Batches of each part in an evaluation, 0 for all [default: 5]
    #[arg(long, help_heading = WATCHING)]
    pub eval_batches: Option<usize>,
    /// Do not evaluate
    #[arg(long, help_heading = WATCHING, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    pub no_eval: Option<bool>,
    /// Keep the model of the lowest validation loss, in RUN/best
    #[arg(long, help_heading = WATCHING, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    pub keep_best: Option<bool>,
    /// End after this many evaluations without a lower validation loss, 0 for never [default: 0]
    #[arg(long, help_heading = WATCHING, value_name = "N")]
    pub patience: Option<usize>,
    /// Write what happens for TensorBoard too, into RUN/tensorboard
    #[arg(long, help_heading = WATCHING, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    pub tensorboard: Option<bool>,
    /// Length of the sample after every epoch, 0 for none [default: 50]
    #[arg(long, help_heading = WATCHING)]
    pub sample_tokens: Option<usize>,
    /// Store the state of the run after every N steps too, 0 for not [default: 0]
    #[arg(long, help_heading = WATCHING, value_name = "N")]
    pub checkpoint_every: Option<usize>,
    /// Minutes between stored states, 0 for none; one is stored after each epoch, too [default: 10]
    #[arg(long, help_heading = WATCHING, value_name = "M", value_parser = from_0)]
    pub checkpoint_minutes: Option<f64>,
    /// Store nothing to go on from, for who is short of disk: it is three times as large as the model
    #[arg(long, help_heading = WATCHING, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    pub no_checkpoint: Option<bool>,
    /// Keep the stored state when the run is complete
    #[arg(long, help_heading = WATCHING, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    pub keep_checkpoint: Option<bool>,
    /// Answer the whole test part after training
    #[arg(long, help_heading = WATCHING, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    pub respond: Option<bool>,
    /// Longest answer in tokens [default: 256]
    #[arg(long, help_heading = WATCHING, value_parser = count)]
    pub response_tokens: Option<usize>,
    /// Answer this many test examples before training too [default: 0]
    #[arg(long, help_heading = WATCHING)]
    pub preview: Option<usize>,

    /// Where to train: auto, or a back end of this build with an optional :INDEX [default: auto]
    #[arg(long, help_heading = MACHINE)]
    pub device: Option<String>,
    /// Type of number that matrix products take: f32, bf16, f16 (with loss scaling) [default: f32]
    #[arg(long, help_heading = MACHINE)]
    pub precision: Option<Precision>,
    /// Compute padding too, to compare: the result is the same
    #[arg(long, help_heading = MACHINE, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    pub no_packing: Option<bool>,
    /// Compute what sequences begin with in common for each of them, to compare: the result is the same
    #[arg(long, help_heading = MACHINE, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    pub no_prefix_sharing: Option<bool>,
    /// Train even if the device fails its self-check
    #[arg(long, help_heading = MACHINE)]
    pub force: bool,

    /// Show the settings and what would be downloaded, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print a summary as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// What a training from scratch that is gone on with has been given already.
const PRETRAIN_RESUMED: [&str; 21] = [
    "text",
    "out",
    "size",
    "n_layer",
    "n_head",
    "n_embd",
    "n_positions",
    "seed",
    "dtype",
    "block_size",
    "batch_size",
    "steps",
    "lr",
    "warmup",
    "weight_decay",
    "compact_vocabulary",
    "also",
    "no_checkpoint",
    "checkpoint_every",
    "checkpoint_minutes",
    "device",
];

/// The settings are those of `config.toml`, too.
#[allow(clippy::struct_excessive_bools)] // independent switches
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub(crate) struct PretrainArgs {
    /// Plain text; documents are separated by blank lines, or by <|endoftext|>
    #[arg(long, required_unless_present = "resume", num_args = 1..)]
    pub text: Vec<PathBuf>,
    /// Write the model into this new or empty folder
    #[arg(long, short, required_unless_present = "resume")]
    #[serde(skip)]
    pub out: Option<PathBuf>,
    /// Go on with the training in this folder that was stopped or killed, to its end
    #[arg(long, value_name = "DIR", conflicts_with_all = PRETRAIN_RESUMED)]
    #[serde(skip)]
    pub resume: Option<PathBuf>,
    #[command(flatten)]
    #[serde(flatten)]
    pub sizes: SizeArgs,
    /// Tokens of a training sequence
    #[arg(long, default_value_t = 128, value_parser = count)]
    pub block_size: usize,
    /// Sequences in a batch
    #[arg(long, default_value_t = 8, value_parser = count)]
    pub batch_size: usize,
    /// Optimizer steps
    #[arg(long, default_value_t = 1000, value_parser = count)]
    pub steps: usize,
    /// Highest learning rate, reached after the warm-up and lowered along a cosine to a tenth
    #[arg(long, default_value_t = 2e-3, value_parser = positive)]
    pub lr: f64,
    /// Steps over which the learning rate rises
    #[arg(long, default_value_t = 50)]
    pub warmup: usize,
    /// Decoupled weight decay
    #[arg(long, default_value_t = 0.1, value_parser = from_0)]
    pub weight_decay: f64,
    /// Train only with the tokens that the text uses, which is faster, and give the model all others in the end
    #[arg(long)]
    pub compact_vocabulary: bool,
    /// Instruction data whose tokens a compact vocabulary has too
    #[arg(long, requires = "compact_vocabulary")]
    pub also: Vec<PathBuf>,
    /// Store the state of the run after every N steps too, 0 for not
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub checkpoint_every: usize,
    /// Minutes between stored states, 0 for none; one is stored after each pass over the text, too
    #[arg(long, default_value_t = 10.0, value_name = "M", value_parser = from_0)]
    pub checkpoint_minutes: f64,
    /// Store nothing to go on from
    #[arg(long)]
    pub no_checkpoint: bool,
    /// Where to train
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// Train even if the device fails its self-check
    #[arg(long)]
    #[serde(skip)]
    pub force: bool,
    /// Print a summary as one JSON document
    #[arg(long)]
    #[serde(skip)]
    pub json: bool,
}
