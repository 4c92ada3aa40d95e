//! Reading answers.

use std::path::Path;

use gptune_json::{Fault, kind};
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
        let values: Vec<Value> = gptune_json::read(bytes).map_err(|fault| json_error(origin, fault))?;
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

fn json_error(origin: &str, Fault { line, column, message }: Fault) -> ScoreError {
    ScoreError::Json { origin: origin.to_owned(), line, column: column.max(1), message }
}

fn answered(value: Value) -> Result<Answered, String> {
    let Value::Object(mut entry) = value else {
        return Err(format!("expected an object, found {}", kind(&value)));
    };
    // Data may use the key for something else, and is answered all the same.
    let kind = entry.get("kind").and_then(|kind| gptune_json::text(kind.as_str()?).ok()).map(str::to_owned);
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
    let value = entry.remove(key).ok_or_else(|| format!("has no '{key}'"))?;
    gptune_json::string(&value).map(str::to_owned).map_err(|problem| format!("'{key}' {problem}"))
}
