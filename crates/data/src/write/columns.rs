//! The columns of a table.

use gptune_json::{NoText, kind};
use serde_json::{Map, Value};

/// More columns than any table of records has.
const MOST: usize = 1000;

/// What is in all values of a column, other than null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Nothing,
    Boolean,
    Integer,
    Float,
    Text,
    /// A list of objects with these keys.
    List(Vec<(String, Kind)>),
}

/// The keys of all records, in the order in which they were seen, and what they hold.
#[derive(Debug, Default)]
pub(super) struct Columns(pub Vec<(String, Kind)>);

impl Columns {
    /// Takes a record's keys; with `typed` also what they hold. Answers what about the record has no room.
    pub fn add(&mut self, record: &Map<String, Value>, typed: bool) -> Result<(), String> {
        for (key, value) in record {
            let shown = key.escape_debug();
            let kind = if typed {
                kind_of(value).map_err(|problem| format!("has a '{shown}' that {problem}; write it as .jsonl"))?
            } else {
                cell(value).map_err(|problem| format!("has a '{shown}' that {problem}"))?;
                Kind::Text
            };
            join(&mut self.0, key, kind)
                .map_err(|problem| format!("has a '{shown}' that is {problem}; write it as .jsonl, or mend it"))?;
        }
        let many = || format!("brings the number of columns above {MOST}; write it as .jsonl");
        if self.0.len() > MOST { Err(many()) } else { Ok(()) }
    }

    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// A list that has no value in any record.
    pub fn empty(&self) -> Option<&str> {
        let empty = self.0.iter().find(|(_, kind)| matches!(kind, Kind::List(fields) if fields.is_empty()));
        empty.map(|(name, _)| name.as_str())
    }

    /// A row of a table.
    pub fn row(&self, separator: u8, record: &Map<String, Value>) -> Result<Vec<u8>, String> {
        let mut cells = Vec::with_capacity(self.0.len());
        for (name, _) in &self.0 {
            let cell = record.get(name).map_or_else(|| Ok(String::new()), cell);
            cells.push(cell.map_err(|problem| format!("has a '{}' that {problem}", name.escape_debug()))?);
        }
        Ok(line(separator, &cells))
    }
}

/// A line of a table.
pub(super) fn line<T: AsRef<[u8]>>(separator: u8, cells: &[T]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().delimiter(separator).from_writer(Vec::new());
    // Memory takes all that is written.
    let _ = writer.write_record(cells);
    writer.into_inner().unwrap_or_default()
}

fn cell(value: &Value) -> Result<String, String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => match gptune_json::text(text) {
            Ok(text) | Err(NoText::Number(text)) => Ok(text.to_owned()),
            Err(NoText::Surrogate(digits)) => Err(format!("has a lone surrogate, \\u{digits}; write it as .json")),
        },
        Value::Array(_) | Value::Object(_) => Err(format!(
            "is {}, for which a table has no room; write .jsonl or .parquet, or another --shape",
            kind(value)
        )),
        other => Ok(gptune_json::to_line(other)),
    }
}

fn kind_of(value: &Value) -> Result<Kind, String> {
    Ok(match value {
        Value::Null => Kind::Nothing,
        Value::Bool(_) => Kind::Boolean,
        Value::Number(number) if number.is_i64() => Kind::Integer,
        Value::Number(_) => Kind::Float,
        Value::String(text) => match gptune_json::text(text) {
            Ok(_) => Kind::Text,
            Err(NoText::Number(number)) => return Err(format!("is {number}, for which Parquet has no number")),
            Err(NoText::Surrogate(digits)) => return Err(format!("has a lone surrogate, \\u{digits}")),
        },
        Value::Array(items) => {
            let mut fields = Vec::new();
            for item in items {
                let Value::Object(item) = item else {
                    return Err(format!(
                        "is a list of {}, and Parquet is written with lists of objects only",
                        kind(item)
                    ));
                };
                for (key, value) in item {
                    let kind = match kind_of(value)? {
                        Kind::List(_) => return Err("is a list with lists in it".to_owned()),
                        kind => kind,
                    };
                    join(&mut fields, key, kind).map_err(|problem| format!("has items whose '{key}' is {problem}"))?;
                }
            }
            Kind::List(fields)
        }
        Value::Object(_) => return Err("is an object, for which Parquet is written without room".to_owned()),
    })
}

/// Adds a key to those that are known; answers what it is of two kinds.
fn join(fields: &mut Vec<(String, Kind)>, key: &str, kind: Kind) -> Result<(), String> {
    let Some((_, known)) = fields.iter_mut().find(|(name, _)| name == key) else {
        fields.push((key.to_owned(), kind));
        return Ok(());
    };
    match (known, kind) {
        (Kind::List(known), Kind::List(fields)) => {
            for (key, kind) in fields {
                join(known, &key, kind)?;
            }
        }
        (_, Kind::Nothing) => {}
        (known @ Kind::Nothing, kind) => *known = kind,
        (known, kind) if *known == kind => {}
        (known, kind) => return Err(format!("{} here and {} before", kind.name(), known.name())),
    }
    Ok(())
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Nothing => "null",
            Self::Boolean => "a boolean",
            Self::Integer => "a whole number",
            Self::Float => "a number",
            Self::Text => "a string",
            Self::List(_) => "a list",
        }
    }
}
