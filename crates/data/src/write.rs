//! Records into files, in the format that a file's name says.

mod columns;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(not(feature = "parquet"))]
#[path = "write/parquet_absent.rs"]
mod parquet;
mod sink;

use std::{ffi::OsStr, io::Write, path::Path};

use gptune_files::NewFile;
use rayon::prelude::*;
use serde_json::{Map, Value};

use self::{
    columns::Columns,
    sink::{Compression, Sink},
};
use crate::{DataError, Place};

/// A record, and where it stands in the data that it is from.
pub type Row = (Place, Map<String, Value>);

/// A file format that records are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// An array, as Python's `json.dump(records, file, indent=4)` writes it.
    Json,
    /// A record a line, as Python's `json.dumps`.
    Lines,
    /// A table with this separator, and the names of its columns in the first line.
    Table(u8),
    Parquet,
}

const KNOWN: &str = ".json, .jsonl, .csv, .tsv, each also with .gz or .zst after it, or .parquet";

impl Format {
    fn of(path: &Path) -> Result<(Self, Compression), DataError> {
        let ending = |path: &Path| path.extension().and_then(OsStr::to_str).map(str::to_lowercase).unwrap_or_default();
        let compression = match ending(path).as_str() {
            "gz" | "gzip" => Compression::Gzip,
            "zst" | "zstd" => Compression::Zstd,
            _ => Compression::None,
        };
        let inner =
            if compression == Compression::None { path } else { Path::new(path.file_stem().unwrap_or_default()) };
        let fault = |problem: String| Err(DataError::Unwritable { path: path.to_owned(), problem });
        let format = match ending(inner).as_str() {
            "json" => Self::Json,
            "jsonl" | "ndjson" => Self::Lines,
            "csv" => Self::Table(b','),
            "tsv" | "tab" => Self::Table(b'\t'),
            "parquet" if compression == Compression::None => Self::Parquet,
            "parquet" => return fault("Parquet is compressed within; leave the second ending out".to_owned()),
            _ => return fault(format!("its ending says no format; known are {KNOWN}")),
        };
        Ok((format, compression))
    }
}

/// Checks that records can be written to a file of this name, by its ending.
///
/// # Errors
///
/// [`DataError::Unwritable`] with the endings that there are.
pub fn check_ending(path: &Path) -> Result<(), DataError> {
    Format::of(path).map(drop)
}

/// Writes records to a new file, in the format that its ending says, and gives their number. The file has its name when
/// all is in it; if anything fails, nothing is left.
///
/// `again` begins the stream of records: once, and once before that for a table or Parquet, whose columns are named
/// before the first record.
///
/// # Errors
///
/// What a stream answers, [`DataError::Unwritable`] for a record that the format has no room for, and
/// [`DataError::Write`].
pub fn write_records<S>(path: &Path, again: impl Fn() -> S) -> Result<usize, DataError>
where
    S: FnMut() -> Result<Option<Vec<Row>>, DataError>,
{
    let (format, _) = Format::of(path)?;
    // Whether the file can be there at all is known before everything is read.
    let mut writer = RecordWriter::create(path)?;
    if matches!(format, Format::Table(_) | Format::Parquet) {
        let mut next = again();
        while let Some(rows) = next()? {
            for (place, record) in &rows {
                let added = writer.columns.add(record, format == Format::Parquet);
                added.map_err(|problem| writer.fault(place, &problem))?;
            }
        }
        writer.begin()?;
    }
    let mut next = again();
    while let Some(rows) = next()? {
        writer.push(&rows)?;
    }
    writer.finish()
}

/// Writes records one after another.
pub(crate) struct RecordWriter {
    path: std::path::PathBuf,
    format: Format,
    columns: Columns,
    out: Out,
    count: usize,
}

enum Out {
    Text(Sink),
    Parquet(Box<parquet::Writer>),
}

impl RecordWriter {
    pub fn create(path: &Path) -> Result<Self, DataError> {
        let (format, compression) = Format::of(path)?;
        let write = |source| DataError::Write { path: path.to_owned(), source };
        let file = NewFile::create(path).map_err(write)?;
        let out = match format {
            Format::Parquet => Out::Parquet(Box::new(
                parquet::Writer::new(file)
                    .map_err(|problem| DataError::Unwritable { path: path.to_owned(), problem })?,
            )),
            _ => Out::Text(Sink::new(file, compression).map_err(write)?),
        };
        Ok(Self { path: path.to_owned(), format, columns: Columns::default(), out, count: 0 })
    }

    fn fault(&self, place: &Place, problem: &str) -> DataError {
        let problem = format!("{place} {problem}");
        DataError::Unwritable { path: self.path.clone(), problem }
    }

    fn written(&self) -> impl Fn(std::io::Error) -> DataError + use<> {
        let path = self.path.clone();
        move |source| DataError::Write { path: path.clone(), source }
    }

    /// Writes what stands before the first record, once the columns are known.
    fn begin(&mut self) -> Result<(), DataError> {
        let written = self.written();
        match (&mut self.out, self.format) {
            (Out::Text(sink), Format::Table(separator)) => {
                let names = self.columns.names();
                if let [name] = &names[..]
                    && *name != "text"
                {
                    let problem = format!("a table of the single column '{name}' could not be read again; use .jsonl");
                    return Err(DataError::Unwritable { path: self.path.clone(), problem });
                }
                sink.write_all(&columns::line(separator, &names)).map_err(written)
            }
            (Out::Parquet(writer), _) => {
                if let Some(name) = self.columns.empty() {
                    let problem =
                        format!("no list in '{name}' has a value, and Parquet would not know of what; use .jsonl");
                    return Err(DataError::Unwritable { path: self.path.clone(), problem });
                }
                writer.begin(&self.columns).map_err(written)
            }
            _ => Ok(()),
        }
    }

    pub fn push(&mut self, rows: &[Row]) -> Result<(), DataError> {
        let texts: Vec<Vec<u8>> = match self.format {
            Format::Lines => rows.par_iter().map(|(_, record)| line(record)).collect(),
            Format::Json => rows.par_iter().map(|(_, record)| indented(record)).collect(),
            Format::Table(separator) => rows
                .par_iter()
                .map(|(place, record)| {
                    self.columns.row(separator, record).map_err(|problem| self.fault(place, &problem))
                })
                .collect::<Result<_, _>>()?,
            Format::Parquet => Vec::new(),
        };
        let written = self.written();
        match &mut self.out {
            Out::Parquet(writer) => writer.push(rows).map_err(written)?,
            Out::Text(sink) => {
                for (number, text) in (self.count..).zip(&texts) {
                    if self.format == Format::Json {
                        sink.write_all(if number == 0 { b"[\n" } else { b",\n" }).map_err(&written)?;
                    }
                    sink.write_all(text).map_err(&written)?;
                }
            }
        }
        self.count += rows.len();
        Ok(())
    }

    /// Gives the file its name, and says how many records it has.
    pub fn finish(self) -> Result<usize, DataError> {
        let written = self.written();
        let file = match self.out {
            Out::Parquet(writer) => writer.finish().map_err(&written)?,
            Out::Text(mut sink) => {
                if self.format == Format::Json {
                    sink.write_all(if self.count == 0 { b"[]\n" } else { b"\n]\n" }).map_err(&written)?;
                }
                sink.finish().map_err(&written)?
            }
        };
        file.commit().map_err(&written)?;
        Ok(self.count)
    }
}

/// A record as a line of its own.
pub(crate) fn line(record: &Map<String, Value>) -> Vec<u8> {
    let mut line = gptune_json::to_line(&Value::Object(record.clone()));
    line.push('\n');
    line.into_bytes()
}

/// A record as it stands in an array.
fn indented(record: &Map<String, Value>) -> Vec<u8> {
    let array = gptune_json::to_lines(&Value::Array(vec![Value::Object(record.clone())]));
    array.trim_start_matches("[\n").trim_end_matches("\n]").as_bytes().to_vec()
}

#[cfg(test)]
mod tests;
