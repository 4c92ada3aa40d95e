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

/// Instructions that are answered at once: more of them share each pass over the weights, and keep
/// more keys and values.
const AT_ONCE: usize = 32;

/// Has the model answer instructions greedily, each by at most `max_new_tokens`, stopping at
/// end-of-text.
///
/// `progress` is called after each answer and says whether to go on; if not, the answers of whole
/// groups are returned, the first ones.
///
/// # Errors
///
/// If a prompt cannot be encoded or an answer not decoded.
pub fn respond(
    model: &Gpt2,
    tokenizer: &Tokenizer,
    style: PromptStyle,
    examples: &[Example],
    max_new_tokens: usize,
    mut progress: impl FnMut() -> bool,
) -> Result<Vec<Response>, DataError> {
    let options = GenerateOptions::greedy(max_new_tokens).stopping_at(END_OF_TEXT_ID).within(VOCAB_SIZE);
    let mut responses = Vec::with_capacity(examples.len());
    for group in examples.chunks(AT_ONCE) {
        let prompts: Vec<Vec<u32>> =
            group.iter().map(|example| tokenizer.encode(&style.prompt(example))).collect::<Result<_, _>>()?;
        let prompts: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
        let mut answers = vec![None; group.len()];
        model.generate_batch(&prompts, &options, |index, ids| {
            answers[index] = Some(ids);
            progress()
        });
        let Some(answers) = answers.into_iter().collect::<Option<Vec<Vec<u32>>>>() else { break };
        for ids in answers {
            let text = style.response(&tokenizer.decode(&ids)?);
            responses.push(Response { ids, text });
        }
    }
    Ok(responses)
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
