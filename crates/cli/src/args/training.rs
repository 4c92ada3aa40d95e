//! Training a model.

use std::path::PathBuf;

use clap::Args;
use gptune_data::{Order, PromptStyle};
use gptune_train::Precision;

use super::SizeArgs;

#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// Start from this model: a folder, a file of weights, or nano, gpt2, gpt2-medium, gpt2-large, gpt2-xl, or
    /// OWNER/NAME on the Hugging Face Hub [default: nano]
    #[arg(long, short)]
    pub model: Option<String>,
    /// Train on this data: a JSON or JSON Lines file, or sample, book, alpaca [default: sample]
    #[arg(long, short)]
    pub data: Option<String>,
    /// Write the run into this new or empty folder [default: runs/MODEL-DATA-TIME]
    #[arg(long, short)]
    pub out: Option<PathBuf>,
    /// Take settings from a recipe: a TOML file, or quickstart, gpt2-small, gpt2-medium-book, alpaca; its settings go
    /// before the defaults shown here [default: quickstart if there is no --model either]
    #[arg(long)]
    pub recipe: Option<String>,
    /// Where to train: auto, or a back end of this build with an optional :INDEX
    #[arg(long)]
    pub device: Option<String>,
    /// Type of number that matrix products take: f32, bf16, f16 (with loss scaling) [default: f32]
    #[arg(long)]
    pub precision: Option<Precision>,
    /// Seed of the data order and of dropout [default: 123]
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
    /// Show the settings and what would be downloaded, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Answer the whole test part after training
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub respond: Option<bool>,
    /// Longest answer in tokens [default: 256]
    #[arg(long)]
    pub response_tokens: Option<usize>,
    /// Answer this many test examples before training too [default: 0]
    #[arg(long)]
    pub preview: Option<usize>,
    /// Print a summary as one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PretrainArgs {
    /// Plain text; documents are separated by blank lines, or by <|endoftext|>
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
    /// Train only with the tokens that the text uses, which is faster, and give the model all others in the end
    #[arg(long)]
    pub compact_vocabulary: bool,
    /// Instruction data whose tokens a compact vocabulary has too
    #[arg(long, requires = "compact_vocabulary")]
    pub also: Vec<PathBuf>,
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
