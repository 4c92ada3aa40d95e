use anyhow::{Result, bail};
use gptune::{device, model};
use gptune_model::GenerateOptions;
use serde_json::json;

use super::print_json;
use crate::{
    args::GenerateArgs,
    console::{self, Plain, print_line},
};

pub(crate) fn run(args: &GenerateArgs) -> Result<()> {
    let opened = model::open_model(&args.model, &Plain)?;
    let tokenizer = &opened.tokenizer;
    let prompt = if args.special_tokens {
        tokenizer.encode_special(&args.prompt)?
    } else {
        console::note_literal(tokenizer, &args.prompt, "the prompt");
        tokenizer.encode(&args.prompt)?
    };
    if prompt.is_empty() {
        bail!("the prompt is empty; give at least one character with --prompt");
    }
    let device = device::resolve(&args.device)?.device;
    let options = GenerateOptions {
        max_new_tokens: args.max_new_tokens,
        temperature: args.temperature.unwrap_or(0.0),
        top_k: args.top_k,
        seed: args.seed,
        stop_at: args.stop_at_eot.then_some(tokenizer.end_of_text()),
        vocabulary: Some(tokenizer.vocab_size()),
    };
    let (model, config) = opened.folder.load(None, &device)?;
    if prompt.len() > config.n_positions {
        console::note(&format!(
            "the prompt has {} tokens, and the model sees only its last {}",
            prompt.len(),
            config.n_positions
        ));
    }
    let spinner = console::spinner("generating");
    let ids = model.generate(&prompt, &options);
    spinner.finish_and_clear();
    let text = tokenizer.decode(&ids)?;
    if args.json {
        return print_json(&json!({ "prompt_ids": prompt, "ids": ids, "text": text }));
    }
    print_line(format_args!("{}{text}", args.prompt))
}
