//! Using a model, and looking at data as it does.

use std::path::PathBuf;

use clap::Args;
use gptune::SourceConfig;
use gptune_data::{Order, Part, TooLong};

use super::numbers::{count, from_0, length};

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // flags
pub(crate) struct EvaluateArgs {
    /// The model: a folder, a file of weights or a name
    #[arg(long, short)]
    pub model: String,
    /// The data: a file (JSON, JSON Lines, CSV, TSV, Parquet, also gzip or zstd), a folder or pattern of files, - for standard
    /// input, or sample, book, alpaca [default: what the model was trained on]
    #[arg(long, short)]
    pub data: Option<String>,
    /// The part to evaluate: train, val, test or all [default: val of what the model was trained on, all of other data]
    #[arg(long)]
    pub split: Option<Part>,
    /// Only the first N batches
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub batches: usize,
    #[command(flatten)]
    pub text: TextArgs,
    #[command(flatten)]
    pub batch: BatchArgs,
    /// Measure on data that have changed since the model was trained on them
    #[arg(long)]
    pub force: bool,
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
    #[arg(long, value_parser = from_0)]
    pub temperature: Option<f64>,
    /// Draw among the K most likely tokens only
    #[arg(long, value_name = "K", requires = "temperature", value_parser = count)]
    pub top_k: Option<usize>,
    /// Seed of the draws
    #[arg(long, default_value_t = 123, requires = "temperature")]
    pub seed: u64,
    /// Stop at the end-of-text token
    #[arg(long)]
    pub stop_at_eot: bool,
    /// Let text that reads like a special token, such as <|endoftext|>, become that token
    #[arg(long)]
    pub special_tokens: bool,
    /// Where to compute
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // flags
pub(crate) struct RespondArgs {
    /// The model: a folder, a file of weights or a name
    #[arg(long, short)]
    pub model: String,
    /// The data [default: what the model was trained on]
    #[arg(long, short)]
    pub data: Option<String>,
    /// The part to answer: train, val, test or all [default: test of what the model was trained on, all of other data]
    #[arg(long)]
    pub split: Option<Part>,
    /// Only the first N examples of the part
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Longest answer in tokens
    #[arg(long, default_value_t = 256, value_parser = count)]
    pub max_new_tokens: usize,
    #[command(flatten)]
    pub text: TextArgs,
    /// Let text that reads like a special token become that token [default: as the model was trained]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    pub special_tokens: Option<bool>,
    /// Leave out entries that cannot be used
    #[arg(long)]
    pub skip_bad: bool,
    /// skip leaves out prompts that fill the model's context, which are refused otherwise [default: as in the training]
    #[arg(long)]
    pub too_long: Option<TooLong>,
    /// Write the answers to this new file [default: instruction-data-with-response.json, in the model's run folder or here]
    #[arg(long, short)]
    pub out: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long)]
    pub overwrite: bool,
    /// Answer data that have changed since the model was trained on them
    #[arg(long)]
    pub force: bool,
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

/// One instruction.
#[derive(Debug, Args)]
pub(crate) struct AskArgs {
    /// The model: a folder, a file of weights or a name
    #[arg(long, short)]
    pub model: String,
    /// The instruction; without it, standard input is read
    pub instruction: Option<String>,
    /// What the instruction is about
    #[arg(long)]
    pub input: Option<String>,
    /// Longest answer in tokens
    #[arg(long, default_value_t = 256, value_parser = count)]
    pub max_new_tokens: usize,
    /// How the instruction becomes text: book, alpaca, phi3, chatml, zephyr, or a file [default: as the model was trained,
    /// else book]
    #[arg(long = "template", visible_alias = "prompt-style", value_name = "NAME|FILE")]
    pub prompt_style: Option<String>,
    /// Let text that reads like a special token become that token [default: as the model was trained]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    pub special_tokens: Option<bool>,
    /// Where to compute
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TokensArgs {
    /// The model whose tokenizer to use [default: GPT-2's own]
    #[arg(long, short)]
    pub model: Option<String>,
    /// Let text that reads like a special token, such as <|endoftext|>, become that token
    #[arg(long)]
    pub special_tokens: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// How records become texts.
#[derive(Debug, Args)]
pub(crate) struct TextArgs {
    /// How conversations become texts: book, alpaca, phi3, chatml, zephyr, or a file of TOML or Jinja [default: as the model
    /// was trained, else book]
    #[arg(long = "template", visible_alias = "prompt-style", value_name = "NAME|FILE")]
    pub prompt_style: Option<String>,
    /// Which keys of a record hold what, such as instruction=question,output=answer, or messages=KEY, or text=KEY [default:
    /// what the first record shows]
    #[arg(long, value_name = "NAME=KEY,...")]
    pub fields: Option<String>,
}

impl TextArgs {
    /// Puts the keys that were named over those of a configuration.
    pub(crate) fn name_fields(&self, source: &mut SourceConfig) {
        if let Some(fields) = &self.fields {
            source.fields.clone_from(fields);
        }
    }
}

/// Data and how to cut it into batches: what is not given is as in the training of the model, else the book's.
#[derive(Debug, Args)]
pub(crate) struct BatchArgs {
    /// Order of the training part: torch, shuffle, length [default: as in the training of the model, else torch]
    #[arg(long)]
    pub order: Option<Order>,
    /// Seed of that order [default: as in the training, else 123]
    #[arg(long)]
    pub seed: Option<u32>,
    /// Sequences in a batch [default: as in the training, else 8]
    #[arg(long, value_parser = count)]
    pub batch_size: Option<usize>,
    /// Longest sequence in tokens [default: as in the training, else 1024]
    #[arg(long, value_parser = length)]
    pub max_length: Option<usize>,
    /// Leave the prompt without loss
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    pub mask_instructions: Option<bool>,
    /// Keep only the first N training examples
    #[arg(long, value_name = "N")]
    pub train_limit: Option<usize>,
    /// Leave out entries that cannot be used
    #[arg(long)]
    pub skip_bad: bool,
    /// What becomes of examples longer than --max-length: cut, skip, refuse [default: as in the training, else cut]
    #[arg(long)]
    pub too_long: Option<TooLong>,
    /// Let text that reads like a special token become that token [default: as the model was trained]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    pub special_tokens: Option<bool>,
}
