//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use gptune_data::{Order, Part, PromptStyle};
use gptune_train::Precision;

/// Fine-tune pretrained GPT-2 models to follow instructions.
#[derive(Debug, Parser)]
#[command(name = "gptune", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fine-tune a model on instructions; without arguments, the built-in model on the built-in data
    Train(Box<TrainArgs>),
    /// Train a model from scratch on plain text
    Pretrain(Box<PretrainArgs>),
    /// Make a model with random weights
    Init(InitArgs),
    /// Measure a model's loss on a part of the data
    Evaluate(EvaluateArgs),
    /// Continue a text
    Generate(GenerateArgs),
    /// Answer the instructions of a part of the data
    Respond(RespondArgs),
    /// Text on standard input to GPT-2 token ids
    Tokenize(JsonArg),
    /// Token ids on standard input to text
    Detokenize(JsonArg),
    /// Look at the data as a model sees it
    Data(DataArgs),
    /// Turn a checkpoint into a model folder
    Import(ImportArgs),
    /// Write a model folder in another layout
    Export(ExportArgs),
    /// Measure training, evaluation, generation or matrix products on this machine
    Bench(BenchArgs),
    /// List the back ends of this build and the devices they see
    Devices(JsonArg),
    /// Check that a device computes what it should, and measure it
    Doctor(DoctorArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// Start from this model: a folder, a .safetensors file, or gpt2, gpt2-medium, gpt2-large, gpt2-xl, nano
    #[arg(long, short)]
    pub model: Option<String>,
    /// Train on this data: a JSON or JSON Lines file, or sample
    #[arg(long, short)]
    pub data: Option<String>,
    /// Write the run into this new or empty folder [default: runs/MODEL-DATA-TIME]
    #[arg(long, short)]
    pub out: Option<PathBuf>,
    /// Take settings from a recipe: a TOML file, or quickstart, gpt2-small, gpt2-medium-book, alpaca
    #[arg(long)]
    pub recipe: Option<String>,
    /// Where to train: auto, or a back end of this build with an optional :INDEX
    #[arg(long)]
    pub device: Option<String>,
    /// Type of number that matrix products take: f32, bf16, f16 (with loss scaling) [default: f32]
    #[arg(long)]
    pub precision: Option<Precision>,
    /// Seed of the data order [default: 123]
    #[arg(long)]
    pub seed: Option<u32>,
    /// Order of the training data: torch (PyTorch's, bit by bit), shuffle, length [default: torch]
    #[arg(long)]
    pub order: Option<Order>,
    /// How instructions become text: book, alpaca, phi3 [default: book]
    #[arg(long)]
    pub prompt_style: Option<PromptStyle>,
    /// Train on responses only, not on instructions
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub mask_instructions: Option<bool>,
    /// Keep the output head tied to the token embedding
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub tie_head: Option<bool>,
    /// Passes over the training data [default: 2]
    #[arg(long)]
    pub epochs: Option<usize>,
    /// Sequences in a batch [default: 8]
    #[arg(long)]
    pub batch_size: Option<usize>,
    /// Batches whose gradients make one update; --batch-size 4 --grad-accum 2 trains as --batch-size 8 [default: 1]
    #[arg(long, value_name = "N")]
    pub grad_accum: Option<usize>,
    /// Scale gradients down to this norm over all parameters, 0 for never [default: 0]
    #[arg(long, value_name = "X")]
    pub max_grad_norm: Option<f64>,
    /// Learning rate [default: 5e-5]
    #[arg(long)]
    pub lr: Option<f64>,
    /// Decoupled weight decay [default: 0.1]
    #[arg(long)]
    pub weight_decay: Option<f64>,
    /// AdamW's first decay rate [default: 0.9]
    #[arg(long)]
    pub beta_1: Option<f64>,
    /// AdamW's second decay rate [default: 0.999]
    #[arg(long)]
    pub beta_2: Option<f64>,
    /// AdamW's epsilon [default: 1e-8]
    #[arg(long)]
    pub eps: Option<f64>,
    /// Dropout while training [default: 0]
    #[arg(long)]
    pub dropout: Option<f64>,
    /// Longest sequence in tokens [default: 1024, or the model's context if that is shorter]
    #[arg(long)]
    pub max_length: Option<usize>,
    /// Stop after this many steps
    #[arg(long)]
    pub max_steps: Option<usize>,
    /// Keep only the first N training examples
    #[arg(long, value_name = "N")]
    pub train_limit: Option<usize>,
    /// Steps between evaluations [default: 5]
    #[arg(long)]
    pub eval_every: Option<usize>,
    /// Batches of each part in an evaluation, 0 for all [default: 5]
    #[arg(long)]
    pub eval_batches: Option<usize>,
    /// Compute padding too, to compare: the result is the same
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub no_packing: Option<bool>,
    /// Compute what sequences begin with in common for each of them, to compare: the result is the same
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub no_prefix_sharing: Option<bool>,
    /// Do not evaluate
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub no_eval: Option<bool>,
    /// Length of the sample after every epoch, 0 for none [default: 50]
    #[arg(long)]
    pub sample_tokens: Option<usize>,
    /// Train even if the device fails its self-check
    #[arg(long)]
    pub force: bool,
    /// Answer the whole test part after training
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub respond: Option<bool>,
    /// Longest answer in tokens [default: 256]
    #[arg(long)]
    pub response_tokens: Option<usize>,
    /// Answer this many test examples before and after training [default: 0; quickstart: 3]
    #[arg(long)]
    pub preview: Option<usize>,
    /// Print a summary as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// The sizes of a new model.
#[derive(Debug, Args)]
pub(crate) struct SizeArgs {
    /// A released size instead of the numbers below: 124M, 355M, 774M, 1558M
    #[arg(long)]
    pub size: Option<String>,
    /// Blocks of the model
    #[arg(long, default_value_t = 4)]
    pub n_layer: usize,
    /// Attention heads of a block
    #[arg(long, default_value_t = 4)]
    pub n_head: usize,
    /// Width of the hidden states
    #[arg(long, default_value_t = 128)]
    pub n_embd: usize,
    /// Context length
    #[arg(long, default_value_t = 1024)]
    pub n_positions: usize,
    /// Seed of the weights
    #[arg(long, default_value_t = 123)]
    pub seed: u32,
    /// Type that weights are stored in
    #[arg(long, value_enum, default_value_t = StoredType::F32)]
    pub dtype: StoredType,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The new model folder
    pub folder: PathBuf,
    #[command(flatten)]
    pub sizes: SizeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PretrainArgs {
    /// Plain text; documents are separated by blank lines
    #[arg(long, required = true, num_args = 1..)]
    pub text: Vec<PathBuf>,
    /// Write the model into this new or empty folder
    #[arg(long, short)]
    pub out: PathBuf,
    #[command(flatten)]
    pub sizes: SizeArgs,
    /// Tokens of a training sequence
    #[arg(long, default_value_t = 128)]
    pub block_size: usize,
    /// Sequences in a batch
    #[arg(long, default_value_t = 8)]
    pub batch_size: usize,
    /// Optimizer steps
    #[arg(long, default_value_t = 1000)]
    pub steps: usize,
    /// Highest learning rate, reached after the warm-up and lowered along a cosine to a tenth
    #[arg(long, default_value_t = 2e-3)]
    pub lr: f64,
    /// Steps over which the learning rate rises
    #[arg(long, default_value_t = 50)]
    pub warmup: usize,
    /// Decoupled weight decay
    #[arg(long, default_value_t = 0.1)]
    pub weight_decay: f64,
    /// Where to train
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// Train even if the device fails its self-check
    #[arg(long)]
    pub force: bool,
    /// Print a summary as one JSON document
    #[arg(long)]
    pub json: bool,
}

/// Data and how to cut it into batches, as in training.
#[derive(Debug, Args)]
pub(crate) struct BatchArgs {
    /// How instructions become text [default: as the model was trained, else book]
    #[arg(long)]
    pub prompt_style: Option<PromptStyle>,
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
    /// The model: a folder, a .safetensors file, or a name
    #[arg(long, short)]
    pub model: String,
    /// The data: a JSON or JSON Lines file, or sample
    #[arg(long, short)]
    pub data: String,
    /// Measurements to take
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub steps: usize,
    /// Measurements to leave out before these: the first ones pay for memory that later ones have
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub warmup: usize,
    /// Tokens to generate for each answer
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub new_tokens: usize,
    /// Sequences in a batch
    #[arg(long, default_value_t = 8)]
    pub batch_size: usize,
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

#[derive(Debug, Args)]
pub(crate) struct EvaluateArgs {
    /// The model: a folder, a .safetensors file, or a name
    #[arg(long, short)]
    pub model: String,
    /// The data: a JSON or JSON Lines file, or sample
    #[arg(long, short)]
    pub data: String,
    /// The part to evaluate: train, val or test
    #[arg(long)]
    pub split: Part,
    /// Only the first N batches
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub batches: usize,
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
    /// The model: a folder, a .safetensors file, or a name
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
    /// The model: a folder, a .safetensors file, or a name
    #[arg(long, short)]
    pub model: String,
    /// The data [default: what the model was trained on, if its run folder tells]
    #[arg(long, short)]
    pub data: Option<String>,
    /// The part to answer: train, val or test
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
pub(crate) struct JsonArg {
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
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
    /// The data: a JSON or JSON Lines file, or sample
    #[arg(long, short)]
    pub data: String,
    /// The part: train, val or test
    #[arg(long, default_value_t = Part::Train)]
    pub split: Part,
    /// Only the first N batches
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    #[command(flatten)]
    pub batch: BatchArgs,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// A type to store weights in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoredType {
    F32,
    F16,
    Bf16,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The checkpoint: a folder, a .safetensors file, or a name
    pub source: String,
    /// The new model folder
    pub folder: PathBuf,
}

/// A layout to export to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Layout {
    /// Hugging Face's: config.json, model.safetensors, tokenizer files
    Hf,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The model folder
    pub folder: String,
    /// The layout to write
    #[arg(long, value_enum, default_value_t = Layout::Hf)]
    pub format: Layout,
    /// Where to write it
    pub destination: PathBuf,
    /// Type that weights are stored in
    #[arg(long, value_enum, default_value_t = StoredType::F32)]
    pub dtype: StoredType,
}
