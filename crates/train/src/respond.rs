//! Answers to instructions.

use gptune_data::{DataError, Encoder, Example, Template, Tokenizer};
use gptune_model::{GenerateOptions, Gpt2};
use serde_json::Value;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The new ids, without end-of-text.
    pub ids: Vec<u32>,
    /// The answer itself: without the response header, stripped.
    pub text: String,
}

/// Who answers, and how.
#[derive(Debug, Clone, Copy)]
pub struct Respondent<'a> {
    /// The model.
    pub model: &'a Gpt2,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// How conversations become texts.
    pub template: &'a Template,
    /// Let text that reads like an added token become that token.
    pub special_tokens: bool,
    /// Longest answer in tokens.
    pub max_new_tokens: usize,
}

/// Most instructions that are answered at once: more of them share each pass over the weights.
const AT_ONCE: usize = 32;

/// Most bytes that answering them at once may hold beside the model.
const BYTES: usize = 1 << 30;

/// Has the model answer instructions greedily, stopping at end-of-text.
///
/// `answered` is given the answers of each group as soon as it is complete, in order. `progress` is called after each
/// answer, and `go_on` before each token: when it says no, the answers that are finished are given and no more.
///
/// # Errors
///
/// If a prompt cannot be encoded or an answer not decoded, or what `answered` says.
pub fn respond<E: From<DataError>>(
    respondent: &Respondent<'_>,
    examples: &[Example],
    mut answered: impl FnMut(usize, Response) -> Result<(), E>,
    mut progress: impl FnMut(),
    go_on: &dyn Fn() -> bool,
) -> Result<(), E> {
    let &Respondent { model, tokenizer, template, special_tokens, max_new_tokens } = respondent;
    let encoder = Encoder { tokenizer, template, special_tokens };
    let options =
        GenerateOptions::greedy(max_new_tokens).stopping_at(tokenizer.end_of_text()).within(tokenizer.vocab_size());
    let prompts: Vec<Vec<u32>> =
        examples.iter().map(|example| encoder.prompt(example)).collect::<Result<_, DataError>>()?;
    let mut first = 0;
    while first < prompts.len() && go_on() {
        let count = at_once(model, &prompts[first..], max_new_tokens);
        let group: Vec<&[u32]> = prompts[first..first + count].iter().map(Vec::as_slice).collect();
        let mut answers: Vec<Option<Vec<u32>>> = vec![None; count];
        model.generate_batch(&group, &options, go_on, |index, ids| {
            answers[index] = Some(ids);
            progress();
        });
        for (index, ids) in answers.into_iter().enumerate() {
            let Some(ids) = ids else { continue };
            let text = template.response(&tokenizer.decode(&ids)?);
            answered(first + index, Response { ids, text })?;
        }
        first += count;
    }
    Ok(())
}

/// How many of the first prompts are answered at once: as many as fit into [`BYTES`] with their keys, values and
/// logits, and with the hidden states of the first pass.
fn at_once(model: &Gpt2, prompts: &[Vec<u32>], max_new_tokens: usize) -> usize {
    let (layers, width, vocabulary) = (model.h.len(), model.wte.weight.val().dims()[1], model.vocab_size());
    let mut longest = 0;
    let mut rows = 0;
    for (count, prompt) in prompts.iter().take(AT_ONCE).enumerate() {
        longest = longest.max(prompt.len());
        rows += prompt.len();
        // Keys and values stand in columns that all texts have alike; a block's widest states are queries, keys and
        // values, and four times the width in its perceptron.
        let columns = (longest + max_new_tokens).min(model.context_length()) + 64;
        let kept = (count + 1) * layers * columns * 2 * width;
        let states = rows * 12 * width + 2 * (count + 1) * vocabulary;
        if count > 0 && 4 * (kept + states) > BYTES {
            return count;
        }
    }
    prompts.len().min(AT_ONCE)
}

/// The responses file of the book: every example's entry with its `model_response` added, byte for
/// byte as Python's `json.dump(…, indent=4)` writes it.
#[must_use]
pub fn responses_json<'a>(answered: impl IntoIterator<Item = (&'a Example, &'a str)>) -> String {
    let entries = answered.into_iter().map(|(example, response)| {
        let mut entry = example.entry.clone();
        // What scores answers knows these keys, whatever the data call them.
        let known = [("instruction", example.instruction()), ("input", example.input()), ("output", example.output())];
        for (key, text) in known {
            if !entry.contains_key(key)
                && (key != "input" || !text.is_empty())
                && (key != "output" || example.has_output())
            {
                entry.insert(key.to_owned(), Value::from(text));
            }
        }
        entry.insert("model_response".to_owned(), Value::from(response));
        Value::Object(entry)
    });
    gptune_json::to_lines(&Value::Array(entries.collect()))
}
