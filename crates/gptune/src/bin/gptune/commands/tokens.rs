use std::io::Read;

use anyhow::{Context, Result};
use gptune::model;
use gptune_data::Tokenizer;
use serde::Deserialize;
use serde_json::json;

use super::print_json;
use crate::{
    args::TokensArgs,
    console::{self, Plain, print, print_line},
};

/// GPT-2's tokenizer, or a model's own.
fn tokenizer(args: &TokensArgs) -> Result<Tokenizer> {
    args.model.as_deref().map_or_else(|| Ok(Tokenizer::gpt2()?), |model| model::tokenizer(model, &Plain))
}

pub(crate) fn tokenize(args: &TokensArgs) -> Result<()> {
    let (tokenizer, text) = (tokenizer(args)?, standard_input()?);
    let ids = if args.special_tokens {
        tokenizer.encode_special(&text)?
    } else {
        console::note_literal(&tokenizer, &text, "the text");
        tokenizer.encode(&text)?
    };
    if args.json {
        return print_json(&json!({ "ids": ids }));
    }
    let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
    print_line(format_args!("{}", ids.join(" ")))
}

/// What `detokenize` reads: what `tokenize --json` prints, or the bare list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Ids {
    Named { ids: Vec<u32> },
    Bare(Vec<u32>),
}

pub(crate) fn detokenize(args: &TokensArgs) -> Result<()> {
    let input = standard_input()?;
    let ids = if input.trim_start().starts_with(['{', '[']) {
        let ids: Ids = serde_json::from_str(&input)
            .context("standard input is not token ids; give {\"ids\": [...]}, [...], or numbers separated by blanks")?;
        match ids {
            Ids::Named { ids } | Ids::Bare(ids) => ids,
        }
    } else {
        let number = |word: &str| word.parse().with_context(|| format!("'{word}' on standard input is not a token id"));
        input.split_whitespace().map(number).collect::<Result<_>>()?
    };
    let text = tokenizer(args)?.decode(&ids)?;
    if args.json {
        return print_json(&json!({ "text": text }));
    }
    print(text)
}

fn standard_input() -> Result<String> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
    String::from_utf8(bytes).context("standard input is not UTF-8 text")
}
