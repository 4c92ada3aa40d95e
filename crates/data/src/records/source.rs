//! What a file is, and the reader for it.

use std::{
    ffi::OsStr,
    io::Read,
    path::Path,
    sync::{Arc, atomic::AtomicU64},
};

use super::{
    Entry, foreign,
    input::{Input, Packing},
    json::{Array, Lines, Listed},
    parquet::Rows,
    stored::Stored,
    table::Table,
    text::Text,
};
use crate::DataError;

/// A record as a reader finds it: the line that it starts in, where there are lines.
pub(super) type Found = (Option<usize>, Entry);

/// Whether somebody wants a record, by its place among those that come next.
pub(super) type Wanted<'a> = &'a (dyn Fn(usize) -> bool + Sync);

/// The reader of a file.
pub(super) enum Source {
    Array(Array),
    Lines(Lines),
    Listed(Listed),
    Table(Table),
    Rows(Box<Rows>),
}

/// What a file's name says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Lines,
    Csv,
    Tsv,
    Parquet,
}

impl Kind {
    /// By the ending of a name, before that of a compressed file.
    pub fn of_name(name: &str) -> Option<Self> {
        let ending = |name: &str| Path::new(name).extension().and_then(OsStr::to_str).map(str::to_lowercase);
        let last = ending(name)?;
        let last = match last.as_str() {
            "gz" | "gzip" | "zst" | "zstd" => ending(&name[..name.len() - last.len() - 1])?,
            _ => last,
        };
        match last.as_str() {
            "json" => Some(Self::Json),
            "jsonl" | "ndjson" => Some(Self::Lines),
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

impl Source {
    pub fn open(stored: &Stored, origin: &str, read: &Arc<AtomicU64>) -> Result<Self, DataError> {
        let contents = stored.open()?;
        let mut head = Vec::new();
        contents
            .reader(0)
            .take(4)
            .read_to_end(&mut head)
            .map_err(|source| DataError::Read { path: origin.into(), source })?;
        if head == b"PAR1" {
            return Rows::open(contents, origin, read).map(|rows| Self::Rows(Box::new(rows)));
        }
        let packing = Packing::of(&head);
        let mut text = Text::open(Input::new(contents.reader(0), packing, origin, read)?)?;
        let kind = Kind::of_name(origin);
        let Some((at, first)) = text.first()? else {
            return Err(DataError::Empty { origin: origin.to_owned() });
        };
        let named_table = matches!(kind, Some(Kind::Csv | Kind::Tsv));
        if kind == Some(Kind::Parquet) && !b"[{".contains(&first) {
            let kind = "no Parquet file, whatever its name says; fetch or write it again".to_owned();
            return Err(DataError::NotText { origin: origin.to_owned(), kind });
        }
        match first {
            // A form feed is a blank, and none of JSON's.
            b'[' if !text.rest()[..at].contains(&0x0c) => Ok(Self::Array(Array::new(text, at))),
            b'{' => Listed::or_lines(text, at),
            _ if named_table || foreign::is_table(text.rest()) => {
                Table::open(text, kind == Some(Kind::Tsv)).map(Self::Table)
            }
            _ if kind == Some(Kind::Lines) => Ok(Self::Lines(Lines::new(text))),
            _ => Err(super::json::no_data(&text)),
        }
    }

    /// The next records; none at the end. Those that nobody wants may be empty.
    pub fn next_chunk(&mut self, wanted: Wanted<'_>) -> Result<Option<Vec<Found>>, DataError> {
        match self {
            Self::Array(array) => array.next_chunk(wanted),
            Self::Lines(lines) => lines.next_chunk(wanted),
            Self::Listed(listed) => Ok(listed.next_chunk()),
            Self::Table(table) => table.next_chunk(),
            Self::Rows(rows) => rows.next_chunk(),
        }
    }
}
