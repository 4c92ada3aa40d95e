//! The records of a table: CSV, or with semicolons or tabs.

use std::{collections::HashSet, ops::Range};

use csv::{ReaderBuilder, StringRecord};
use rayon::prelude::*;
use serde_json::{Map, Value};

use super::{
    Entry,
    source::Found,
    text::{BLOCK, LONGEST, MANY, Text},
};
use crate::DataError;

/// Bytes that a thread parses at a time.
const PART: usize = 128 << 10;

/// A table whose first row names its columns. Every value is a text.
pub(super) struct Table {
    text: Text,
    columns: Columns,
    scan: Scan,
    /// Rows so far.
    count: usize,
    /// What is told after the records before it.
    fault: Option<DataError>,
}

/// How a row becomes a record.
struct Columns {
    separator: u8,
    names: Vec<String>,
}

impl Table {
    pub fn open(mut text: Text, tabs: bool) -> Result<Self, DataError> {
        let blank = text.rest().iter().take_while(|byte| byte.is_ascii_whitespace() && **byte != b'\t').count();
        text.consume(blank);
        // Which of them separates is not known yet, and a quote may follow after each.
        let mut scan = Scan::default();
        let end = loop {
            match scan.row(text.rest(), b",;\t") {
                Some(end) => break end,
                None if text.ended() => break text.rest().len(),
                None if text.rest().len() > LONGEST => return Err(text.too_long(0, 0)),
                None => text.more()?,
            }
        };
        if let Some(fault) = open_quote(&scan, &text) {
            return Err(fault);
        }
        let header = &text.rest()[..end];
        if header.trim_ascii_end().contains(&b'\r') {
            let kind = "a table whose lines end with carriage returns alone; save it with line feeds".to_owned();
            return Err(DataError::NotText { origin: text.origin().to_owned(), kind });
        }
        let separator = separator(header, tabs);
        let names = row(header, separator.unwrap_or(b',')).unwrap_or_default();
        let problem = |problem: String| Err(DataError::OtherShape { origin: text.origin().to_owned(), problem });
        if separator.is_none() && names != ["text"] {
            let name = names.first().map_or("", String::as_str).escape_debug().to_string();
            return problem(format!(
                "its first line names a single column, '{name}'; neither ',' nor ';' nor a tab separates it, so save the \
                 table with one of these, and the names of the columns in the first line"
            ));
        }
        let mut known = HashSet::new();
        if let Some(name) = names.iter().find(|name| !known.insert(name.as_str())) {
            return problem(format!("two of its columns are called '{}'; rename one of them", name.escape_debug()));
        }
        text.consume(end);
        let columns = Columns { separator: separator.unwrap_or(b','), names };
        Ok(Self { text, columns, scan: Scan::default(), count: 0, fault: None })
    }

    pub fn next_chunk(&mut self) -> Result<Option<Vec<Found>>, DataError> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        // Whole rows, cut into parts of many.
        let mut parts: Vec<Range<usize>> = Vec::new();
        let (mut part, mut end, mut rows) = (0, 0, 0);
        loop {
            if let Some(at) = self.scan.row(self.text.rest(), &[self.columns.separator]) {
                (end, rows) = (at, rows + 1);
                if end - part >= PART {
                    parts.push(part..end);
                    part = end;
                }
                if end >= BLOCK || rows >= MANY {
                    break;
                }
            } else if self.text.ended() {
                self.fault = open_quote(&self.scan, &self.text);
                if self.fault.is_none() {
                    end = self.text.rest().len();
                }
                break;
            } else if self.text.rest().len() - end > LONGEST {
                let fault = open_quote(&self.scan, &self.text);
                self.fault = Some(fault.unwrap_or_else(|| self.text.too_long(self.count + rows, end)));
                break;
            } else if end > 0 {
                break;
            } else {
                self.text.more()?;
            }
        }
        if end > part {
            parts.push(part..end);
        }
        if parts.is_empty() {
            return self.fault.take().map_or(Ok(None), Err);
        }
        let parts: Vec<(usize, &[u8])> =
            parts.into_iter().map(|part| (self.text.position(part.start).0, &self.text.rest()[part])).collect();
        let columns = &self.columns;
        let parsed: Vec<Vec<Found>> = parts.par_iter().map(|&(line, text)| columns.rows(text, line)).collect();
        let found: Vec<Found> = parsed.into_iter().flatten().collect();
        self.count += found.len();
        self.text.consume(end);
        self.scan.moved(end);
        Ok(Some(found))
    }
}

impl Columns {
    /// The records of whole rows, the first of which starts in a line.
    fn rows(&self, text: &[u8], mut line: usize) -> Vec<Found> {
        let mut counted = 0;
        let mut found = Vec::new();
        let mut row = StringRecord::new();
        let mut reader = reader(text, self.separator);
        // The text is UTF-8, and rows of any length are taken: there is no other fault.
        while reader.read_record(&mut row).unwrap_or(false) {
            let at = row.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(usize::MAX));
            // Its start without the line ends, and the empty lines, before it.
            let at = at.min(text.len());
            let start = at + text[at..].iter().take_while(|byte| b"\r\n".contains(byte)).count();
            line += memchr::memchr_iter(b'\n', &text[counted..start]).count();
            counted = start;
            found.push((Some(line), self.entry(&row)));
        }
        found
    }

    fn entry(&self, row: &StringRecord) -> Entry {
        if row.len() == self.names.len() {
            let values = self.names.iter().cloned().zip(row.iter().map(Value::from));
            return Ok(values.collect::<Map<String, Value>>());
        }
        let (found, named) = (row.len(), self.names.len());
        let (fields, columns) =
            (if found == 1 { "field" } else { "fields" }, if named == 1 { "column" } else { "columns" });
        let problem = format!("has {found} {fields}, and the first line names {named} {columns}");
        Err((problem, row.iter().map(Value::from).collect()))
    }
}

fn reader(text: &[u8], separator: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new().delimiter(separator).has_headers(false).flexible(true).from_reader(text)
}

fn row(text: &[u8], separator: u8) -> Option<Vec<String>> {
    let row = reader(text, separator).into_records().next()?.ok()?;
    Some(row.iter().map(str::to_owned).collect())
}

/// What separates the names of columns; none for a single one.
fn separator(header: &[u8], tabs: bool) -> Option<u8> {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut scan = Scan::default();
    for at in 0..header.len() {
        for (separator, count) in &mut counts {
            *count += usize::from(scan.state != State::Quoted && header[at] == *separator);
        }
        // To the end of this byte.
        scan.row(&header[..=at], b",;\t");
    }
    let [(_, commas), (_, semicolons), (_, tabbed)] = counts;
    match () {
        () if tabbed > 0 && (tabs || tabbed > commas.max(semicolons)) => Some(b'\t'),
        () if semicolons > commas => Some(b';'),
        () if commas > 0 => Some(b','),
        () => None,
    }
}

/// That a quote is open at the end of what was read.
fn open_quote(scan: &Scan, text: &Text) -> Option<DataError> {
    let at = (scan.state == State::Quoted).then_some(scan.opened)?;
    let (line, _) = text.position(at);
    let problem =
        format!("the quote that is opened in line {line} is never closed; close it, or fetch or write it again");
    Some(DataError::Damaged { origin: text.origin().to_owned(), problem })
}

/// A place in a table, and whether it is within quotes.
#[derive(Debug, Default)]
struct Scan {
    at: usize,
    state: State,
    /// Where the last quote was opened.
    opened: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first byte of a field, which may be a quote.
    #[default]
    Start,
    Bare,
    Quoted,
    /// Behind a quote within quotes: the second half of two, or the end.
    Closed,
}

impl Scan {
    /// Goes on behind the line end of a row, and gives that place; none if the text ends before, and then goes on with a
    /// longer one. Quotes are what the `csv` crate takes for them.
    fn row(&mut self, text: &[u8], separators: &[u8]) -> Option<usize> {
        while let Some(&byte) = text.get(self.at) {
            if self.state == State::Quoted {
                match memchr::memchr(b'"', &text[self.at..]) {
                    Some(found) => (self.at, self.state) = (self.at + found + 1, State::Closed),
                    None => self.at = text.len(),
                }
                continue;
            }
            self.at += 1;
            self.state = match (self.state, byte) {
                (_, b'\n') => {
                    self.state = State::Start;
                    return Some(self.at);
                }
                (State::Start, b'"') => {
                    self.opened = self.at - 1;
                    State::Quoted
                }
                (State::Closed, b'"') => State::Quoted,
                (_, b'\r') => State::Start,
                (_, byte) if separators.contains(&byte) => State::Start,
                _ => State::Bare,
            };
        }
        None
    }

    /// The text lost bytes at its start.
    fn moved(&mut self, count: usize) {
        self.at -= count;
        self.opened = self.opened.saturating_sub(count);
    }
}
