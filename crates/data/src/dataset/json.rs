//! The entries of a JSON array, of JSON Lines, or of a list inside an object.

use gptune_json::{Fault, read};
use serde_json::{Map, Value};

use super::BadEntry;
use crate::DataError;

/// An entry, not yet looked at.
pub(super) struct Entry {
    pub index: usize,
    pub line: Option<usize>,
    pub value: Value,
}

/// The entries of a file, and the lines that are no JSON.
pub(super) fn entries(origin: &str, text: &[u8]) -> Result<(Vec<Entry>, Vec<BadEntry>), DataError> {
    let listed = |values: Vec<Value>| {
        let entry = |(index, value)| Entry { index, line: None, value };
        (values.into_iter().enumerate().map(entry).collect(), Vec::new())
    };
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => Err(DataError::Empty { origin: origin.to_owned() }),
        Some(b'[') => read::<Vec<Value>>(text).map(listed).map_err(|fault| json_error(origin, fault)),
        Some(b'{') => {
            let lines = || text.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
            let first = lines().next().unwrap_or_default();
            // One object, over one line or many: an example, or what holds the list of them.
            let whole = if lines().nth(1).is_none() || read::<Map<String, Value>>(first).is_err() {
                read::<Map<String, Value>>(text).ok()
            } else {
                None
            };
            match whole {
                Some(object) => Ok(listed(list_in(origin, object)?)),
                None => Ok(by_line(text)),
            }
        }
        Some(_) => {
            let fault = read::<Value>(text).err().map(|fault| json_error(origin, fault));
            // A single number or word is JSON, and no data.
            Err(fault.unwrap_or_else(|| DataError::Json {
                origin: origin.to_owned(),
                line: 1,
                column: 1,
                message: "expected a list or an object".to_owned(),
            }))
        }
    }
}

/// The list that an object holds under its only key with one, or the object itself as an example.
fn list_in(origin: &str, mut object: Map<String, Value>) -> Result<Vec<Value>, DataError> {
    if ["instruction", "messages", "conversations"].iter().any(|key| object.contains_key(*key)) {
        return Ok(vec![Value::Object(object)]);
    }
    // What else is in such a list is a bad entry of it.
    let is_list =
        |value: &Value| value.as_array().is_some_and(|list| list.is_empty() || list.iter().any(Value::is_object));
    let lists: Vec<String> = object.iter().filter(|(_, value)| is_list(value)).map(|(key, _)| key.clone()).collect();
    match &lists[..] {
        [] => Ok(vec![Value::Object(object)]),
        [key] => match object.swap_remove(key) {
            Some(Value::Array(list)) => Ok(list),
            _ => unreachable!("it is a list"),
        },
        several => {
            let keys = several.iter().map(|key| format!("'{key}'")).collect::<Vec<_>>().join(", ");
            let problem = format!(
                "it holds several lists, under the keys {keys}; write each into a file of its own, for --train-data, \
                 --val-data and --test-data"
            );
            Err(DataError::OtherShape { origin: origin.to_owned(), problem })
        }
    }
}

fn by_line(text: &[u8]) -> (Vec<Entry>, Vec<BadEntry>) {
    let (mut entries, mut bad) = (Vec::new(), Vec::new());
    let lines = text.split(|&byte| byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
    for (index, (number, line)) in lines.enumerate() {
        match read(line) {
            Ok(value) => entries.push(Entry { index, line: Some(number + 1), value }),
            Err(fault) => bad.push(BadEntry {
                index,
                line: Some(number + 1),
                problem: format!("not valid JSON at line {}, column {}: {}", number + 1, fault.column, fault.message),
                entry: Value::from(String::from_utf8_lossy(line).into_owned()),
            }),
        }
    }
    (entries, bad)
}

fn json_error(origin: &str, Fault { line, column, message }: Fault) -> DataError {
    DataError::Json { origin: origin.to_owned(), line, column, message }
}
