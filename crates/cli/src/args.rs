//! The command line.

mod measuring;
mod models;
mod numbers;
mod training;
mod using;

use clap::{Args, Parser, Subcommand};

pub(crate) use measuring::{BenchArgs, BenchTask, DoctorArgs};
pub(crate) use models::{ExportArgs, FetchArgs, ImportArgs, InitArgs, Layout, Origin, SizeArgs, StoredType};
pub(crate) use training::{PretrainArgs, TrainArgs};
pub(crate) use using::{
    AskArgs, BatchArgs, BatchesArgs, DataArgs, DataCommand, EvaluateArgs, GenerateArgs, RespondArgs, ScoreArgs,
    TokensArgs,
};

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
    /// Answer one instruction, as the model was trained to
    Ask(AskArgs),
    /// Continue a text
    Generate(GenerateArgs),
    /// Answer the instructions of a part of the data
    Respond(RespondArgs),
    /// Score answers against the wanted ones, or compare two models' answers
    Score(ScoreArgs),
    /// Text on standard input to token ids
    Tokenize(TokensArgs),
    /// Token ids on standard input to text
    Detokenize(TokensArgs),
    /// Look at the data as a model sees it
    Data(DataArgs),
    /// Download a model or data, or show what would be requested
    Fetch(FetchArgs),
    /// Turn a checkpoint into a model folder
    Import(ImportArgs),
    /// Write a model for another program
    Export(ExportArgs),
    /// Measure training, evaluation, generation or matrix products on this machine
    Bench(BenchArgs),
    /// List the back ends of this build and the devices they see
    Devices(JsonArg),
    /// Check that a device computes what it should, and measure it
    Doctor(DoctorArgs),
}

#[derive(Debug, Args)]
pub(crate) struct JsonArg {
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}
