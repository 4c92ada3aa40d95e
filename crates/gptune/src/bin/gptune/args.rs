//! The command line.

mod data;
mod measuring;
mod models;
mod numbers;
mod runs;
mod training;
mod using;

use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

pub(crate) use data::{
    BatchesArgs, CheckArgs, Colour, ConvertArgs, DataArgs, DataCommand, DedupeArgs, InspectArgs, LookArgs, SplitArgs,
    StatsArgs,
};
pub(crate) use measuring::{BenchArgs, BenchTask, DoctorArgs};
pub(crate) use models::{ExportArgs, FetchArgs, ImportArgs, InitArgs, Layout, Origin, SizeArgs, StoredType};
pub(crate) use runs::{CompareArgs, RunsArgs};
pub(crate) use training::{PretrainArgs, TrainArgs};
pub(crate) use using::{AskArgs, BatchArgs, EvaluateArgs, GenerateArgs, RespondArgs, ScoreArgs, TokensArgs};

/// Fine-tune pretrained GPT-2 models to follow instructions.
#[derive(Debug, Parser)]
#[command(name = "gptune", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// Say on standard error what is decided and done, from this level on
    #[arg(long, global = true, value_enum, value_name = "LEVEL", help_heading = "Diagnostics")]
    pub log: Option<LogLevel>,
    /// Write that into a file, as JSON Lines; without --log from the level debug on
    #[arg(long, global = true, value_name = "FILE", help_heading = "Diagnostics")]
    pub log_file: Option<PathBuf>,
}

/// How much is said of what goes on inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Cli {
    /// Reads the command line; ends the program where that is wrong.
    pub(crate) fn read() -> Self {
        // What starts like a number is a value, which its parser then refuses with the range, and no unknown flag.
        let command = Self::command().mut_subcommands(|command| {
            command.mut_args(|arg| {
                let takes_value = arg.get_action().takes_values();
                arg.allow_negative_numbers(takes_value)
            })
        });
        Self::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }
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
    /// List runs: their settings, losses, scores and state
    Runs(RunsArgs),
    /// Compare runs, in a table and as curves over each other
    Compare(CompareArgs),
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

impl Command {
    /// What to do about too little memory, with the flags that the command has.
    pub(crate) fn memory_levers(&self) -> &'static str {
        match self {
            Self::Train(_) => {
                "lower --batch-size, with --grad-accum raised as much for the same result, or --max-length, or take a \
                 smaller model"
            }
            Self::Pretrain(_) => "lower --batch-size or --block-size, or make a smaller model",
            Self::Evaluate(_) | Self::Data(_) => "lower --batch-size or --max-length, or take a smaller model",
            Self::Bench(_) => "lower --batch-size, or take a smaller model",
            _ => "take a smaller model, or end other programs",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct JsonArg {
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}
