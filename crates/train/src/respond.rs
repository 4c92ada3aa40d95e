//! Answers to instructions.

use gptune_data::{DataError, END_OF_TEXT_ID, Example, PromptStyle, Tokenizer, VOCAB_SIZE, to_python_json};
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

/// Has the model answer one instruction greedily, by at most `max_new_tokens`, stopping at
/// end-of-text.
///
/// # Errors
///
/// If the prompt cannot be encoded or the answer not decoded.
pub fn respond(
    model: &Gpt2,
    tokenizer: &Tokenizer,
    style: PromptStyle,
    example: &Example,
    max_new_tokens: usize,
) -> Result<Response, DataError> {
    let prompt = tokenizer.encode(&style.prompt(example))?;
    let options = GenerateOptions::greedy(max_new_tokens).stopping_at(END_OF_TEXT_ID).within(VOCAB_SIZE);
    let ids = model.generate(&prompt, &options);
    let text = style.response(&tokenizer.decode(&ids)?);
    Ok(Response { ids, text })
}

/// The responses file of the book: every example's entry with its `model_response` added, byte for
/// byte as Python's `json.dump(…, indent=4)` writes it.
#[must_use]
pub fn responses_json<'a>(answered: impl IntoIterator<Item = (&'a Example, &'a str)>) -> String {
    let entries = answered.into_iter().map(|(example, response)| {
        let mut entry = example.entry.clone();
        entry.insert("model_response".to_owned(), Value::from(response));
        Value::Object(entry)
    });
    to_python_json(&Value::Array(entries.collect()))
}
