//! The records of a JSON array, of JSON Lines, or of a list inside an object.

use std::ops::Range;

use gptune_json::{Fault, kind, read};
use rayon::prelude::*;
use serde_json::{Map, Value};

use super::{
    Entry,
    scan::Scan,
    source::{Found, Source, Wanted},
    text::{BLOCK, LONGEST, MANY, Text},
};
use crate::DataError;

/// Bytes of a single object that holds all records. Such a file is read whole, because what of it is the list, its last
/// key may decide.
const WHOLE: usize = 512 << 20;

/// A value as a record.
fn entry(value: Value) -> Entry {
    match value {
        Value::Object(entry) => Ok(entry),
        other => Err((format!("expected an object, found {}", kind(&other)), other)),
    }
}

/// Whether the JSON standard has it between values.
fn is_blank(byte: u8) -> bool {
    b" \t\r\n".contains(&byte)
}

/// A JSON array, element by element.
pub(super) struct Array {
    text: Text,
    scan: Scan,
    /// Elements that were found.
    count: usize,
    ended: bool,
    /// What is told after the records before it.
    fault: Option<DataError>,
}

impl Array {
    /// The array whose bracket stands at a place of the text.
    pub fn new(mut text: Text, at: usize) -> Self {
        text.consume(at + 1);
        Self { text, scan: Scan::new(0, 1), count: 0, ended: false, fault: None }
    }

    /// The next elements. Those that are not `wanted`, by their places among these, are empty and not parsed.
    pub fn next_chunk(&mut self, wanted: Wanted<'_>) -> Result<Option<Vec<Found>>, DataError> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        if self.ended {
            return Ok(None);
        }
        let mut slices = Vec::new();
        let mut start = 0;
        while slices.len() < MANY && start < BLOCK {
            if let Some(border) = self.scan.border(self.text.rest()) {
                slices.push(start..border);
                start = border + 1;
                if self.scan.depth == 0 {
                    self.ended = true;
                    break;
                }
            } else if self.text.ended() {
                // It is cut off, which the parser says.
                slices.push(start..self.text.rest().len());
                start = self.text.rest().len();
                self.ended = true;
                break;
            } else if self.text.rest().len() - start > LONGEST {
                self.fault = Some(self.text.too_long(self.count + slices.len(), start));
                self.ended = true;
                break;
            } else if start > 0 {
                // What there is first: a longer rest is copied less often then.
                break;
            } else {
                self.text.more()?;
            }
        }
        let text = self.text.rest();
        // Between the brackets of an empty one is no element.
        if self.ended
            && self.count == 0
            && slices.len() == 1
            && text[slices[0].clone()].iter().all(|byte| is_blank(*byte))
        {
            let is_closed = text.get(slices[0].end) == Some(&b']');
            slices.truncate(usize::from(!is_closed));
        }
        let parse = |(at, slice): (usize, &Range<usize>)| {
            if wanted(at) { read(&text[slice.clone()]).ok() } else { Some(Value::Object(Map::new())) }
        };
        let parsed: Vec<Option<Value>> = slices.par_iter().with_min_len(32).enumerate().map(parse).collect();
        let mut good = parsed.iter().take_while(|value| value.is_some()).count();
        if let (true, Some(last)) = (self.ended && good == slices.len(), slices.last()) {
            // The last is followed by the bracket, or its closing is what is missing.
            if text.get(last.end) != Some(&b']') && self.fault.is_none() {
                good -= 1;
            }
        }
        if let Some(slice) = slices.get(good) {
            self.fault = Some(self.fault_at(slice.start, slice.end, self.count + good == 0));
        }
        self.count += good;
        self.text.consume(start);
        self.scan.at -= start;
        if self.ended && self.fault.is_none() {
            self.fault = self.behind()?;
        }
        Ok(Some(parsed.into_iter().take(good).flatten().map(|value| (None, entry(value))).collect()))
    }

    /// What the parser says of the element between two places, with what stands before and behind it.
    fn fault_at(&self, start: usize, end: usize, is_first: bool) -> DataError {
        let before: &[u8] = if is_first { b"[" } else { b"[0," };
        let text = self.text.rest();
        // An escape that the border cuts is looked at as a whole.
        let document = [before, &text[start..text.len().min(end + 8)]].concat();
        let (line, column) = self.text.position(start);
        let fault = read::<Vec<Value>>(&document).err().unwrap_or_else(|| Fault {
            line: 1,
            column: before.len() + end - start,
            message: "expected `,` or `]`".to_owned(),
        });
        let column = if fault.line == 1 { (column + fault.column).saturating_sub(before.len()) } else { fault.column };
        json_error(self.text.origin(), Fault { line: line + fault.line - 1, column, ..fault })
    }

    /// What is wrong behind the array: anything but blanks.
    fn behind(&mut self) -> Result<Option<DataError>, DataError> {
        loop {
            let rest = self.text.rest();
            if let Some(at) = rest.iter().position(|byte| !is_blank(*byte)) {
                let (line, column) = self.text.position(at);
                let fault = Fault { line, column: column + 1, message: "trailing characters".to_owned() };
                return Ok(Some(json_error(self.text.origin(), fault)));
            }
            if self.text.ended() {
                return Ok(None);
            }
            self.text.consume(rest.len());
            self.text.more()?;
        }
    }
}

/// JSON Lines.
pub(super) struct Lines {
    text: Text,
    /// Lines with something in them so far.
    count: usize,
    /// The number of the line that comes next, from 1.
    line: usize,
}

impl Lines {
    pub fn new(text: Text) -> Self {
        let (line, _) = text.position(0);
        Self { text, count: 0, line }
    }

    /// The next lines. Those that are not `wanted`, by their places among these, are empty and not parsed.
    pub fn next_chunk(&mut self, wanted: Wanted<'_>) -> Result<Option<Vec<Found>>, DataError> {
        let mut lines = Vec::new();
        let (mut start, mut searched) = (0, 0);
        while lines.len() < MANY && start < BLOCK {
            let rest = self.text.rest();
            let end = memchr::memchr(b'\n', &rest[searched..]).map(|at| searched + at);
            let end = match end {
                Some(end) => end,
                None if self.text.ended() && start < rest.len() => rest.len(),
                None if self.text.ended() || start > 0 => break,
                None if rest.len() > LONGEST => return Err(self.text.too_long(self.count, start)),
                None => {
                    searched = rest.len();
                    self.text.more()?;
                    continue;
                }
            };
            if !rest[start..end].trim_ascii().is_empty() {
                lines.push((self.line, start..end));
            }
            self.line += 1;
            start = rest.len().min(end + 1);
            searched = start;
        }
        if start == 0 {
            return Ok(None);
        }
        let text = self.text.rest();
        let parse = |(at, (line, slice)): (usize, &(usize, Range<usize>))| {
            (Some(*line), if wanted(at) { by_line(&text[slice.clone()], *line) } else { Ok(Map::new()) })
        };
        let found: Vec<Found> = lines.par_iter().with_min_len(32).enumerate().map(parse).collect();
        self.count += found.len();
        self.text.consume(start);
        Ok(Some(found))
    }
}

fn by_line(text: &[u8], line: usize) -> Entry {
    match read(text) {
        Ok(value) => entry(value),
        Err(fault) => {
            let problem = format!("not valid JSON at line {line}, column {}: {}", fault.column, fault.message);
            Err((problem, Value::from(String::from_utf8_lossy(text).into_owned())))
        }
    }
}

/// The records of an object that holds them as a list, or is one.
pub(super) struct Listed(std::vec::IntoIter<Value>);

impl Listed {
    /// What an object begins: it is alone, over one line or many, and is a record or holds the list of them; else there
    /// are lines.
    pub fn or_lines(mut text: Text, at: usize) -> Result<Source, DataError> {
        let mut scan = Scan::new(at, 0);
        let end = loop {
            match scan.border(text.rest()) {
                Some(end) if scan.depth == 0 => break Some(end + 1),
                Some(_) => {}
                None if text.ended() => break None,
                None if text.rest().len() > WHOLE => {
                    let problem = format!(
                        "its first record does not end within {} MB; if an object holds all records, write them as JSON \
                         Lines",
                        WHOLE >> 20
                    );
                    return Err(DataError::OtherShape { origin: text.origin().to_owned(), problem });
                }
                None => text.more()?,
            }
        };
        if let Some(end) = end {
            while text.rest()[end..].trim_ascii().is_empty() && !text.ended() && text.rest().len() <= WHOLE {
                text.more()?;
            }
            if !text.rest()[end..].trim_ascii().is_empty() {
                return Ok(Source::Lines(Lines::new(text)));
            }
        }
        match read::<Map<String, Value>>(text.rest()) {
            Ok(object) => Ok(Source::Listed(Self(list_in(text.origin(), object)?.into_iter()))),
            Err(_) => Ok(Source::Lines(Lines::new(text))),
        }
    }

    pub fn next_chunk(&mut self) -> Option<Vec<Found>> {
        let found: Vec<Found> = self.0.by_ref().take(MANY).map(|value| (None, entry(value))).collect();
        (!found.is_empty()).then_some(found)
    }
}

/// The list that an object holds under its only key with one, or the object itself as a record.
fn list_in(origin: &str, mut object: Map<String, Value>) -> Result<Vec<Value>, DataError> {
    if ["instruction", "prompt", "messages", "conversations"].iter().any(|key| object.contains_key(*key)) {
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

/// What is wrong with a text that begins no list and no object.
pub(super) fn no_data(text: &Text) -> DataError {
    // A single number or word is JSON, and no data.
    let fault = read::<Value>(text.rest()).err().unwrap_or_else(|| Fault {
        line: 1,
        column: 1,
        message: "expected a list or an object".to_owned(),
    });
    json_error(text.origin(), fault)
}

fn json_error(origin: &str, Fault { line, column, message }: Fault) -> DataError {
    DataError::Json { origin: origin.to_owned(), line, column, message }
}
