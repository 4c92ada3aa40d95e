//! One question, one answer.

use std::io::Read;

use anyhow::{Context, Result, bail};
use gptune::{device, model};
use gptune_data::{Encoder, Example};
use gptune_model::GenerateOptions;
use serde_json::json;

use super::print_json;
use crate::{
    args::AskArgs,
    console::{self, Plain, print_line},
};

pub(crate) fn run(args: &AskArgs) -> Result<()> {
    let instruction = if let Some(instruction) = &args.instruction {
        instruction.clone()
    } else {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read the instruction from standard input")?;
        // Editors and echo end a file with a line's end that is not meant.
        text.trim_end_matches(['\n', '\r']).to_owned()
    };
    if instruction.trim().is_empty() {
        bail!("there is no instruction; give one, in quotation marks, or on standard input");
    }
    let opened = model::open_model(&args.model, &Plain)?;
    let template = opened.template(args.prompt_style.as_deref(), &Plain)?;
    let special_tokens = args.special_tokens.unwrap_or(opened.about.special_tokens);
    let tokenizer = &opened.tokenizer;
    let encoder = Encoder { tokenizer, template: &template, special_tokens };
    let example = Example::new(&instruction, args.input.as_deref().unwrap_or_default(), "");
    if !special_tokens {
        console::note_literal(tokenizer, &instruction, "the instruction");
        console::note_literal(tokenizer, example.input(), "the input");
    }
    let prompt = encoder.prompt(&example)?;
    if prompt.len() >= opened.folder.config.n_positions {
        bail!(
            "the instruction makes a prompt of {} tokens, and the model's context holds {}; shorten it",
            prompt.len(),
            opened.folder.config.n_positions
        );
    }
    let device = device::resolve(&args.device)?.device;
    let options = GenerateOptions::greedy(args.max_new_tokens)
        .stopping_at(tokenizer.end_of_text())
        .within(tokenizer.vocab_size());
    let (model, _) = opened.folder.load(None, &device)?;
    let spinner = console::spinner("answering");
    let ids = model.generate(&prompt, &options);
    spinner.finish_and_clear();
    let text = template.response(&tokenizer.decode(&ids)?);
    if args.json {
        return print_json(&json!({ "prompt_ids": prompt, "ids": ids, "text": text }));
    }
    print_line(text)
}
