//! Looking at data, and changing them.

mod as_trained;
mod batches;
mod check;
mod convert;
mod dedupe;
mod inspect;
mod split;
mod stats;

use anyhow::Result;
use gptune::model::{self, fitted};
use gptune_data::{CorpusOptions, Template, Tokenizer};

use crate::{
    args::{DataArgs, DataCommand, LookArgs},
    console::Plain,
};

pub(crate) fn run(args: &DataArgs) -> Result<()> {
    match &args.command {
        DataCommand::Inspect(args) => inspect::run(args),
        DataCommand::Stats(args) => stats::run(args),
        DataCommand::Check(args) => check::run(args),
        DataCommand::Convert(args) => convert::run(args),
        DataCommand::Split(args) => split::run(args),
        DataCommand::Dedupe(args) => dedupe::run(args),
        DataCommand::Batches(args) => batches::batches(args),
    }
}

/// How data are looked at: as a model, or GPT-2, would be trained on them.
struct Look {
    tokenizer: Tokenizer,
    template: Template,
    /// Tokens that are kept of a sequence.
    max_length: usize,
    /// Longest sequence that the model takes.
    context: usize,
    reading: CorpusOptions,
}

impl Look {
    fn new(args: &LookArgs) -> Result<Self> {
        let given = args.text.prompt_style.as_deref();
        let (tokenizer, template, context) = match &args.model {
            Some(model) => {
                let opened = model::open_model(model, &Plain)?;
                let template = opened.template(given, &Plain)?;
                (opened.tokenizer, template, opened.folder.config.n_positions)
            }
            None => (Tokenizer::gpt2()?, given.map(Template::find).transpose()?.unwrap_or_default(), 1024),
        };
        let tokenizer = fitted(tokenizer, &args.add_tokens, &template, &Plain)?;
        let shape = args.text.fields.as_deref().map(str::parse).transpose()?;
        let reading = CorpusOptions { shape, ..CorpusOptions::default() };
        let max_length = args.max_length.unwrap_or(context);
        Ok(Self { tokenizer, template, max_length, context, reading })
    }
}
