use anyhow::{Result, bail};
use gptune_data::{END_OF_TEXT_ID, Tokenizer, VOCAB_SIZE};
use gptune_model::GenerateOptions;
use serde_json::json;

use super::print_json;
use crate::{
    args::GenerateArgs,
    console::{self, print_line},
    device, model_source,
};

pub(crate) fn run(args: &GenerateArgs) -> Result<()> {
    let tokenizer = Tokenizer::gpt2()?;
    let prompt = tokenizer.encode(&args.prompt)?;
    if prompt.is_empty() {
        bail!("the prompt is empty; give at least one character with --prompt");
    }
    if args.temperature < 0.0 || !args.temperature.is_finite() || args.top_k == Some(0) {
        bail!("--temperature has to be a number from 0 up and --top-k at least 1");
    }
    let device = device::resolve(&args.device)?.device;
    let (model, _) = model_source::open_model(&args.model)?.load(None, &device)?;
    let options = GenerateOptions {
        max_new_tokens: args.max_new_tokens,
        temperature: args.temperature,
        top_k: args.top_k,
        seed: args.seed,
        stop_at: args.stop_at_eot.then_some(END_OF_TEXT_ID),
        vocabulary: Some(VOCAB_SIZE),
    };
    let spinner = console::spinner("generating");
    let ids = model.generate(&prompt, &options);
    spinner.finish_and_clear();
    let text = tokenizer.decode(&ids)?;
    if args.json {
        return print_json(&json!({ "prompt_ids": prompt, "ids": ids, "text": text }));
    }
    print_line(format_args!("{}{text}", args.prompt))
}
