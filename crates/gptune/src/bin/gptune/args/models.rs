//! Models: new ones, and their ways in and out.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gptune_weights::Precision;
use serde::{Deserialize, Serialize};

/// The sizes of a new model.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub(crate) struct SizeArgs {
    /// A released size instead of the numbers below: 124M, 355M, 774M, 1558M
    #[arg(long, conflicts_with_all = ["n_layer", "n_head", "n_embd", "n_positions"])]
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    #[arg(long, value_enum, default_value_t = FolderType::F32)]
    pub dtype: FolderType,
}

/// A type to store a folder's weights in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FolderType {
    F32,
    F16,
    Bf16,
}

impl From<FolderType> for Precision {
    fn from(stored: FolderType) -> Self {
        match stored {
            FolderType::F32 => Self::F32,
            FolderType::F16 => Self::F16,
            FolderType::Bf16 => Self::BF16,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The new model folder
    pub folder: PathBuf,
    #[command(flatten)]
    pub sizes: SizeArgs,
}

/// A type to store weights in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoredType {
    F32,
    F16,
    Bf16,
    /// Blocks of 32 bytes with a scale, in GGUF files only
    #[value(name = "q8_0")]
    Q8_0,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The checkpoint: a folder of Hugging Face's or OpenAI's, a file (.safetensors, .pth, .bin, .gguf), or a name
    pub source: String,
    /// The new model folder
    pub folder: PathBuf,
    /// Take numbers that are not finite too
    #[arg(long)]
    pub allow_nonfinite: bool,
}

/// A layout to export to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Layout {
    /// Hugging Face's folder: config.json, model.safetensors, tokenizer files
    Hf,
    /// A .pth file that the book's GPTModel loads
    Pth,
    /// A .gguf file for llama.cpp and what is built on it
    Gguf,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The model: a folder, a file of weights or a name
    pub folder: String,
    /// The layout to write
    #[arg(long, value_enum, default_value_t = Layout::Hf)]
    pub format: Layout,
    /// The new folder or, for pth and gguf, file
    pub destination: PathBuf,
    /// Type that weights are stored in; f32 only for pth, no bf16 for gguf
    #[arg(long, value_enum, default_value_t = StoredType::F32)]
    pub dtype: StoredType,
    /// Take numbers that are not finite too
    #[arg(long)]
    pub allow_nonfinite: bool,
}

/// Where to download a model from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Origin {
    /// The Hugging Face Hub, into Hugging Face's cache
    Hub,
    /// OpenAI's original release, a TensorFlow checkpoint
    Openai,
}

/// What a name of the Hub is of.
#[derive(Debug, Args)]
pub(crate) struct KindArgs {
    /// NAME is a model
    #[arg(long, conflicts_with = "data")]
    pub model: bool,
    /// NAME is a data set
    #[arg(long)]
    pub data: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FetchArgs {
    /// gpt2, gpt2-medium, gpt2-large, gpt2-xl, 124M to 1558M; a model or data set of the Hub, OWNER/NAME; or book, alpaca
    ///
    /// OWNER/NAME is the model of the Hub that is called so, or if there is none the data set; where there are both, --model
    /// or --data has to say which. A data set may have a revision (a branch, tag or commit), a configuration and a split
    /// after its name: OWNER/NAME@REVISION, OWNER/NAME:SPLIT, OWNER/NAME:CONFIGURATION, OWNER/NAME:CONFIGURATION:SPLIT. Single
    /// files, folders or patterns of one are `hf://datasets/OWNER/NAME/FILE`.
    pub name: String,
    #[command(flatten)]
    pub kind: KindArgs,
    /// Where to download a model from
    #[arg(long, value_enum, default_value_t = Origin::Hub)]
    pub source: Origin,
    /// Another address than OpenAI's, or than that of the data, with the same files; HF_ENDPOINT is the Hub's
    #[arg(long, value_name = "URL")]
    pub mirror: Option<String>,
    /// Download what is on this machine too, and replace it
    #[arg(long)]
    pub force: bool,
    /// Show the requests and make none
    #[arg(long)]
    pub dry_run: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}
