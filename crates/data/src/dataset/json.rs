//! The entries of a JSON array, of JSON Lines, or of a list inside an object.
//!
//! Python's `json` reads and writes what the standard does not have: `NaN`, `Infinity` and `-Infinity`, and escapes of
//! lone surrogates. A file that the standard's reader refuses is read again with these replaced by marks.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::BadEntry;
use crate::{
    DataError,
    python_json::{MARK, number_mark},
};

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
        Some(b'[') => parse::<Vec<Value>>(text).map(listed).map_err(|fault| json_error(origin, fault)),
        Some(b'{') => {
            let lines = || text.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
            let first = lines().next().unwrap_or_default();
            // One object, over one line or many: an example, or what holds the list of them.
            let whole = if lines().nth(1).is_none() || parse::<Map<String, Value>>(first).is_err() {
                parse::<Map<String, Value>>(text).ok()
            } else {
                None
            };
            match whole {
                Some(object) => Ok(listed(list_in(origin, object)?)),
                None => Ok(by_line(text)),
            }
        }
        Some(_) => {
            let fault = parse::<Value>(text).err().map(|fault| json_error(origin, fault));
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
    let is_list = |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_object));
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
        match parse(line) {
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

/// What was wrong with a text, and where: line and column count from 1.
struct Fault {
    line: usize,
    column: usize,
    message: String,
}

/// Reads JSON, and failing that, JSON as Python has it.
fn parse<T: serde::de::DeserializeOwned>(text: &[u8]) -> Result<T, Fault> {
    // Without its position: it counts from the wrong line for JSON Lines.
    let bare = |error: &serde_json::Error| {
        let message = error.to_string();
        message.split(" at line ").next().unwrap_or(&message).to_owned()
    };
    serde_json::from_slice(text).or_else(|error| {
        let fault = |column| Fault { line: error.line().max(1), column, message: bare(&error) };
        match marked(text) {
            Marked { text: Cow::Borrowed(_), .. } => Err(fault(error.column())),
            Marked { text: Cow::Owned(marked), places } => serde_json::from_slice(&marked).map_err(|error| {
                // The column in the text as it was.
                let line = error.line().max(1);
                let longer = places.iter().filter(|place| place.line == line && place.column < error.column());
                let column = longer.fold(error.column(), |column, place| column.saturating_sub(place.longer));
                Fault { line, column, message: bare(&error) }
            }),
        }
    })
}

/// A text, and where marks made it longer.
struct Marked<'a> {
    text: Cow<'a, [u8]>,
    places: Vec<Place>,
}

/// Where a mark ends in the marked text, and how much longer it is than what it replaced.
struct Place {
    line: usize,
    column: usize,
    longer: usize,
}

/// The text with what only Python takes replaced by strings that the standard's reader takes.
fn marked(text: &[u8]) -> Marked<'_> {
    let mut out: Vec<u8> = Vec::new();
    let mut places = Vec::new();
    // Up to here the text is in `out`.
    let mut copied = 0;
    let mut at = 0;
    let mut in_string = false;
    // The last character outside of strings that is no blank: a value stands after one of these only.
    let mut before = b'[';
    let (mut line, mut line_start) = (1, 0);
    while at < text.len() {
        let rest = &text[at..];
        let (length, mark) = match (in_string, rest[0]) {
            (_, b'"') => {
                in_string = !in_string;
                (1, None)
            }
            (true, b'\\') => match (surrogate(rest), rest.get(6..).and_then(surrogate)) {
                (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, None),
                // Lower case, as Python writes it back.
                (Some(lone), _) => (6, Some(format!("{MARK}{lone:04x}"))),
                (None, _) => (2, None),
            },
            (false, b'N' | b'I' | b'-') if b"[,:".contains(&before) => {
                let word = ["NaN", "Infinity", "-Infinity"].into_iter().find(|word| rest.starts_with(word.as_bytes()));
                word.map_or((1, None), |word| (word.len(), Some(format!("\"{}\"", number_mark(word)))))
            }
            _ => (1, None),
        };
        if !in_string && !rest[0].is_ascii_whitespace() {
            before = rest[0];
        }
        if rest[0] == b'\n' {
            line += 1;
            line_start = out.len() + at + 1 - copied;
        }
        if let Some(mark) = mark {
            out.extend_from_slice(&text[copied..at]);
            out.extend_from_slice(mark.as_bytes());
            copied = at + length;
            places.push(Place { line, column: out.len() - line_start, longer: mark.len() - length });
        }
        at += length;
    }
    if places.is_empty() {
        return Marked { text: Cow::Borrowed(text), places };
    }
    out.extend_from_slice(text.get(copied..).unwrap_or_default());
    Marked { text: Cow::Owned(out), places }
}

/// The surrogate that an escape at the start of a text stands for.
fn surrogate(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    Some(code).filter(|code| (0xd800..0xe000).contains(code))
}

/// A text that is used, if nothing in it was replaced by a mark; else what it was.
pub(super) fn checked(text: &str) -> Result<&str, String> {
    let Some((before, after)) = text.split_once(MARK) else { return Ok(text) };
    let word = ["NaN", "Infinity", "-Infinity"].into_iter().find(|word| before.is_empty() && number_mark(word) == text);
    if let Some(word) = word {
        return Err(format!("is {word}, expected a string"));
    }
    match after.get(..4).filter(|digits| u32::from_str_radix(digits, 16).is_ok()) {
        Some(digits) => Err(format!("has a lone surrogate, \\u{digits}, which is half of a character")),
        // The same character in a file of the user's own.
        None => Ok(text),
    }
}

fn json_error(origin: &str, Fault { line, column, message }: Fault) -> DataError {
    DataError::Json { origin: origin.to_owned(), line, column, message }
}
