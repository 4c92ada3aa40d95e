//! What is said before a run begins.

use std::collections::{BTreeSet, HashMap};

use anyhow::Result;
use gptune_data::{Part, Tokenizer};
use gptune_model::{Gpt2, Gpt2Config};
use gptune_train::{DataConfig, LeftOut, Prepared, Trainer};

use crate::{RunConfig, Voice, data::data_flags, text::on_a_line};

/// What is trained, on what, and how long.
pub(super) fn beginning(
    voice: &dyn Voice,
    config: &RunConfig,
    data: &Prepared,
    model: &Gpt2Config,
    trainer: &Trainer<'_>,
    trained: usize,
) {
    let part = |part| data.count(part);
    voice.say(&format!(
        "Model {}: {} blocks, {} wide, {:.1} million parameters, on {}",
        config.source.model,
        model.n_layer,
        model.n_embd,
        model.parameters() as f64 / 1e6,
        config.source.device
    ));
    let optim = &config.optim;
    if !(optim.freeze.is_empty() && optim.train_only.is_empty()) {
        let only = if optim.train_only.is_empty() { "all" } else { &optim.train_only.join(", ") };
        let but = if optim.freeze.is_empty() { String::new() } else { format!(" but {}", optim.freeze.join(", ")) };
        voice.say(&format!("Trained are {only}{but}: {:.1} million parameters", trained as f64 / 1e6));
    }
    voice.say(&format!(
        "Data {}: {} training, {} test, {} validation examples; {} steps of batch {}",
        data.origin,
        part(Part::Train),
        part(Part::Test),
        part(Part::Val),
        trainer.steps(),
        config.data.batch_size
    ));
    tell_left_out(&data.left_out, voice);
    if !data.preflight.leaks.is_empty() {
        voice.say(&format!(
            "Note: {} test or validation examples repeat an instruction and input of the training part (entries {}{})",
            data.preflight.leaks.len(),
            data.preflight.leaks.iter().take(10).map(ToString::to_string).collect::<Vec<_>>().join(", "),
            if data.preflight.leaks.len() > 10 { ", …" } else { "" }
        ));
    }
    if !data.teaches_to_stop(trainer.end_of_text()) {
        voice.say(
            "Note: no training example that was looked at ends with the token that ends texts, so that the model does not \
             learn to stop; a template writes it with {eos}, or eos_token in Jinja",
        );
    }
    let cut = |part| data.loader(part).map_or(0, |loader| loader.cut());
    let (train, val) = (cut(Part::Train), cut(Part::Val));
    if train > 0 {
        voice.say(&format!(
            "Note: {train} training examples are longer than {} tokens and lose their end, so that they do not teach to stop",
            config.data.max_length
        ));
    }
    if data.preflight.without_response > 0 {
        voice.say(&format!(
            "Note: of {} of them no token of the response is left; --max-length is too short for these",
            data.preflight.without_response
        ));
    }
    if val > 0 {
        voice.say(&format!(
            "Note: {val} validation examples are longer than {} tokens, and measured without their end",
            config.data.max_length
        ));
    }
}

/// What was chosen for the user, and what may not be what was meant.
pub(super) fn choices(voice: &dyn Voice, config: &RunConfig, recipe: Option<&str>, data: &Prepared, steps: usize) {
    if let Some(recipe) = recipe {
        voice.say(&format!("Settings: {recipe}; learning rate {}", config.optim.lr));
    }
    let rate = config.optim.learning_rate(steps);
    if rate.warmup > 0 && rate.warmup >= steps {
        voice.say(&format!(
            "Note: the learning rate rises over {} steps, and the run has {steps}; it does not reach {}",
            rate.warmup, rate.lr
        ));
    }
    if data.preflight.preferences {
        voice.say(
            "Note: these are pairs of a better and a worse answer ('chosen', 'rejected'); what is trained on is 'output' \
             alone, as ordinary instructions",
        );
    }
    if config.output.respond && data.count(Part::Test) == 0 {
        voice.say("Note: there is no test part, so that nothing is answered; --split or --test-data makes one");
    }
}

/// Training examples whose words are looked at.
const WORDS_OF: usize = 20_000;

/// Which words of the data the built-in model has never seen, and what to do instead. Rows of the embedding that
/// pretraining did not touch are all alike.
pub(super) fn unknown_words(
    voice: &dyn Voice,
    model: &Gpt2,
    tokenizer: &Tokenizer,
    data: &Prepared,
    config: &RunConfig,
) -> Result<()> {
    let table = model.wte.weight.val();
    let [_, width] = table.dims();
    let Ok(table) = table.into_data().try_into_vec::<f32>() else { return Ok(()) };
    let bits = |row: &[f32]| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    let mut rows: HashMap<Vec<u32>, usize> = HashMap::new();
    for row in table.chunks(width) {
        *rows.entry(bits(row)).or_default() += 1;
    }
    let Some(untouched) = rows.into_iter().filter(|(_, count)| *count > 100).max_by_key(|(_, count)| *count) else {
        return Ok(());
    };
    let is_unknown = |id: u32| bits(&table[id as usize * width..][..width]) == untouched.0;
    let examples = data.examples(Part::Train, WORDS_OF, tokenizer)?;
    let messages = examples.iter().flat_map(|example| &example.messages);
    let texts = messages.flat_map(|message| [&message.content, &message.input]);
    let words: BTreeSet<&str> = texts.flat_map(|text| text.split_whitespace()).collect();
    let unknown: Vec<&str> = words
        .iter()
        .copied()
        .filter(|word| tokenizer.encode(&format!(" {word}")).is_ok_and(|ids| ids.into_iter().any(is_unknown)))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let some = unknown.iter().take(5).map(|word| format!("'{}'", on_a_line(word))).collect::<Vec<_>>().join(", ");
    voice.say(&format!(
        "Note: nano is a toy for the built-in data: it has never seen {} of the {} different words here, such as {some}. \
         For GPT-2 itself: gptune train --model gpt2 {}",
        unknown.len(),
        words.len(),
        data_flags(&config.source),
    ));
    Ok(())
}

/// Notes how many entries were left out, and the first of them.
pub fn tell_left_out(left_out: &[LeftOut], voice: &dyn Voice) {
    if let Some(first) = left_out.first() {
        let (count, place) = (left_out.len(), &first.entry.place);
        let entries = if count == 1 { "entry was" } else { "entries were" };
        voice.note(&format!(
            "Note: {count} {entries} left out; the first is {}, {place}: {}",
            first.origin, first.entry.problem
        ));
    }
}

/// What the book prints before training, where a run is its chapter 7 to the letter.
pub(super) fn book_losses(config: &RunConfig) -> Option<[f64; 2]> {
    let book = RunConfig::default();
    let medium = ["gpt2-medium", "355M", "openai-community/gpt2-medium"].contains(&config.source.model.as_str());
    let (run, data) = (&config.run, &config.data);
    // Nothing else of the data settings may differ, but for what makes no difference to the book's.
    let data = DataConfig { skip_bad: book.data.skip_bad, special_tokens: book.data.special_tokens, ..data.clone() };
    let same = config.source.data == "book"
        && config.source.prompt_style == book.source.prompt_style
        && (run.seed, run.order, run.eval_batches) == (book.run.seed, book.run.order, book.run.eval_batches)
        && data == book.data;
    (medium && same).then_some([3.826, 3.762])
}
