//! Reading instruction examples.

use std::path::Path;

use serde_json::{Map, Value};

use crate::{DataError, END_OF_TEXT};

/// One instruction with its optional input and the wanted output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// What to do.
    pub instruction: String,
    /// What to do it with; empty where the instruction says everything.
    pub input: String,
    /// The wanted response.
    pub output: String,
    /// The entry as it stood in the file, with every further key, in the file's order.
    pub entry: Map<String, Value>,
}

/// A list of [`Example`]s and where it came from.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The file or name, for messages.
    pub origin: String,
    /// The examples in file order.
    pub examples: Vec<Example>,
}

impl Dataset {
    /// Reads a file: a JSON array of objects, or JSON Lines (one object a line).
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or for any reason [`Dataset::parse`] gives.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let text = std::fs::read(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Parses the bytes of a dataset; `origin` names them in messages.
    ///
    /// A first character other than `[` means JSON Lines. A missing `input` counts as empty, as
    /// in many published instruction sets; `instruction` and `output` are required.
    ///
    /// # Errors
    ///
    /// [`DataError::Json`] with line and column, [`DataError::Entry`] with index and key, or
    /// [`DataError::Empty`].
    pub fn parse(origin: &str, text: &[u8]) -> Result<Self, DataError> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let values = match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None => return Err(DataError::Empty { origin: origin.to_owned() }),
            Some(b'[') => serde_json::from_slice::<Vec<Value>>(text).map_err(|error| json_error(origin, &error, 0))?,
            Some(_) => parse_lines(origin, text)?,
        };
        if values.is_empty() {
            return Err(DataError::Empty { origin: origin.to_owned() });
        }
        let examples = values
            .into_iter()
            .enumerate()
            .map(|(index, value)| {
                example(value).map_err(|problem| DataError::Entry { origin: origin.to_owned(), index, problem })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { origin: origin.to_owned(), examples })
    }
}

impl Example {
    /// Whether any text of the example contains the literal `<|endoftext|>`, which would read
    /// like the special token without being it.
    #[must_use]
    pub fn has_literal_end_of_text(&self) -> bool {
        [&self.instruction, &self.input, &self.output].iter().any(|text| text.contains(END_OF_TEXT))
    }
}

fn parse_lines(origin: &str, text: &[u8]) -> Result<Vec<Value>, DataError> {
    text.split(|&byte| byte == b'\n')
        .enumerate()
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(number, line)| serde_json::from_slice(line).map_err(|error| json_error(origin, &error, number)))
        .collect()
}

/// `lines_before`: how many lines of the file precede the text the parser saw.
fn json_error(origin: &str, error: &serde_json::Error, lines_before: usize) -> DataError {
    let message = error.to_string();
    // serde_json appends its own position, which counts from the wrong line for JSON Lines.
    let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
    DataError::Json {
        origin: origin.to_owned(),
        line: lines_before + error.line().max(1),
        column: error.column(),
        message,
    }
}

fn example(value: Value) -> Result<Example, String> {
    let Value::Object(entry) = value else {
        return Err(format!("expected an object, found {}", kind(&value)));
    };
    let text = |key: &str| match entry.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(format!("'{key}' is {}, expected a string", kind(other))),
    };
    let required = |key: &str| text(key)?.ok_or_else(|| format!("has no '{key}'"));
    Ok(Example {
        instruction: required("instruction")?,
        input: text("input")?.unwrap_or_default(),
        output: required("output")?,
        entry,
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Dataset::parse("data.json", text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn array_and_lines_give_the_same_examples() {
        let array = r#"[{"instruction":"a","input":"b","output":"c","kind":"x"}, {"instruction":"d","output":"e"}]"#;
        let lines = "{\"instruction\":\"a\",\"input\":\"b\",\"output\":\"c\",\"kind\":\"x\"}\n\n{\"instruction\":\"d\",\"output\":\"e\"}\n";
        let array = Dataset::parse("a", array.as_bytes()).unwrap().examples;
        assert_eq!(array, Dataset::parse("l", lines.as_bytes()).unwrap().examples);
        assert_eq!(array[0].entry["kind"], "x");
        assert_eq!(array[1].input, "");
    }

    #[test]
    fn faults_are_located() {
        assert!(error("[{\"instruction\": \"a\",\n  oops}]").contains("line 2, column 3"));
        assert!(error("{\"instruction\":\"a\",\"output\":\"b\"}\n{\"instruction\"\n").contains("line 2, column"));
        assert!(
            error(r#"[{"instruction":"a","output":"b"},{"output":"c"}]"#).contains("entry 1: has no 'instruction'")
        );
        assert!(error(r#"[{"instruction":"a","output":3}]"#).contains("entry 0: 'output' is a number"));
        assert!(error(r#"[{"instruction":"a","input":["x"],"output":"b"}]"#).contains("'input' is an array"));
        assert!(error("[7]").contains("entry 0: expected an object, found a number"));
        assert!(error("[]").contains("no examples"));
        assert!(error("  \n").contains("no examples"));
    }
}
