//! Instruction fine-tuning of GPT-2.
//!
//! [`Trainer`] runs the loop of section 7.6 of *Build a Large Language Model From Scratch*: the
//! batches in PyTorch's order, AdamW, an evaluation every few steps, a sample after every epoch. What
//! happens is told as [`Event`](gptune_run::Event)s to a [`Sink`](gptune_run::Sink); the console, `metrics.jsonl` and the
//! plot are sinks of the same events. The trainer is handed a model and never opens a weights file: what
//! to do with one worth keeping is the business of a [`Keeper`].
//!
//! Each part of the work takes the part of the settings that it goes by: [`Prepared`] a [`DataConfig`], [`Trainer`] an
//! [`OptimConfig`] and a [`LoopConfig`].

mod compact;
mod config;
mod ending;
mod epochs;
mod error;
mod evaluate;
mod finite;
mod formula;
mod keeper;
mod objective;
mod optimizer;
mod parameters;
mod precision;
mod prepare;
mod pretrain;
mod respond;
mod schedule;
mod self_check;
mod state;
mod step;
mod trainer;

pub use compact::CompactVocabulary;
pub use config::{DataConfig, DecayOn, LoopConfig, OptimConfig, Packing};
pub use ending::{Ending, NotFinite, Outcome};
pub use error::TrainError;
pub use evaluate::{Evaluation, Measure, evaluate};
pub use finite::is_finite;
pub use formula::formula_weights;
pub use keeper::Keeper;

pub use optimizer::{AdamW, Optimizer, Rates, Rating};
pub use precision::Precision;
pub use prepare::{LeftOut, ModelInput, Prepared, Source};
pub use pretrain::{PretrainConfig, Pretraining, TextBlocks};
pub use respond::{Respondent, Response, respond, responses_json};
pub use schedule::{LearningRate, Schedule};
pub use self_check::{Digest, Finding, SelfCheck};
pub use state::TrainState;
pub use trainer::Trainer;
