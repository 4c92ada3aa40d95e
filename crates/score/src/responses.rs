//! Reading answers.

use std::path::Path;

use serde_json::{Map, Value};

use crate::ScoreError;

/// An example with a model's answer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// What to do.
    pub instruction: String,
    /// What to do it with; may be empty.
    pub input: String,
    /// The wanted answer.
    pub output: String,
    /// The model's answer.
    pub model_response: String,
    /// The kind of task, if the data name it.
    pub kind: Option<String>,
}

/// A file of answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Responses {
    /// The file or name, for messages.
    pub origin: String,
    /// The answers in the file's order.
    pub entries: Vec<Answered>,
}

impl Responses {
    /// Reads the book's responses file: a JSON array of objects.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or for any reason [`Responses::parse`] gives.
    pub fn read(path: &Path) -> Result<Self, ScoreError> {
        let bytes = std::fs::read(path).map_err(|source| ScoreError::Read { path: path.to_owned(), source })?;
        Self::parse(&path.display().to_string(), &bytes)
    }

    /// Parses the bytes of a responses file; `origin` names them in messages.
    ///
    /// `instruction`, `output` and `model_response` are required; `input` may be missing, and so may `kind`, or
    /// be null. Further keys are ignored.
    ///
    /// # Errors
    ///
    /// [`ScoreError::Json`] with line and column, [`ScoreError::Entries`] with index and key of all that are bad, or
    /// [`ScoreError::Empty`].
    pub fn parse(origin: &str, bytes: &[u8]) -> Result<Self, ScoreError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let values: Vec<Value> = serde_json::from_slice(bytes).map_err(|error| json_error(origin, &error))?;
        if values.is_empty() {
            return Err(ScoreError::Empty { origin: origin.to_owned() });
        }
        let total = values.len();
        let (mut entries, mut bad) = (Vec::with_capacity(total), Vec::new());
        for (index, value) in values.into_iter().enumerate() {
            match answered(value) {
                Ok(entry) => entries.push(entry),
                Err(problem) => bad.push((index, problem)),
            }
        }
        if bad.is_empty() {
            Ok(Self { origin: origin.to_owned(), entries })
        } else {
            Err(ScoreError::Entries { origin: origin.to_owned(), bad, total })
        }
    }
}

fn json_error(origin: &str, error: &serde_json::Error) -> ScoreError {
    let message = error.to_string();
    // serde_json appends the position, which the sentence has already.
    let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
    ScoreError::Json { origin: origin.to_owned(), line: error.line().max(1), column: error.column().max(1), message }
}

fn answered(value: Value) -> Result<Answered, String> {
    let Value::Object(mut entry) = value else {
        return Err(format!("expected an object, found {}", name_of(&value)));
    };
    // Data may use the key for something else, and is answered all the same.
    let kind = entry.get("kind").and_then(Value::as_str).map(str::to_owned);
    let input = if entry.contains_key("input") { take(&mut entry, "input")? } else { String::new() };
    Ok(Answered {
        instruction: take(&mut entry, "instruction")?,
        input,
        output: take(&mut entry, "output")?,
        model_response: take(&mut entry, "model_response")?,
        kind,
    })
}

fn take(entry: &mut Map<String, Value>, key: &str) -> Result<String, String> {
    match entry.remove(key) {
        None => Err(format!("has no '{key}'")),
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(format!("'{key}' is {}, expected a string", name_of(&other))),
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
