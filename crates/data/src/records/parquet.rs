//! The records of a Parquet file, by row groups.

mod pages;
mod quiet;
mod value;

use std::{
    io::BufReader,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use parquet::{
    errors::{ParquetError, Result as Read},
    file::{
        metadata::{ColumnChunkMetaData, RowGroupMetaData},
        reader::{ChunkReader, FileReader, Length, SerializedFileReader},
    },
    record::{
        Row,
        reader::{ReaderIter, TreeBuilder},
    },
    schema::types::{SchemaDescriptor, Type},
};
use rayon::prelude::*;

use self::{pages::Checked, quiet::quietly};
use super::{
    source::Found,
    stored::{At, Contents},
};
use crate::DataError;

/// Rows that are given at a time.
const MANY: usize = 2048;

/// What a column may unpack to before the ratio is looked at, and the ratio that no data have.
const LOOKED_AT: i64 = 64 << 20;
const RATIO: i64 = 500;

/// The rows of a Parquet file.
pub(super) struct Rows {
    reader: SerializedFileReader<Contents>,
    origin: String,
    /// The row group that comes next, and the rows of the one that is read.
    group: usize,
    open: Option<ReaderIter>,
    /// Rows so far.
    count: usize,
    /// Rows of the row groups before this one.
    before: usize,
    progress: Progress,
    fault: Option<DataError>,
}

/// How far the file is read, by its rows.
struct Progress {
    total: usize,
    bytes: u64,
    told: u64,
    read: Arc<AtomicU64>,
}

impl Length for Contents {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for Contents {
    type T = BufReader<At>;

    fn get_read(&self, start: u64) -> Read<Self::T> {
        Ok(BufReader::new(self.reader(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Read<Bytes> {
        use std::io::Read;
        // Before there is room for it: a damaged file may ask for anything.
        if start.checked_add(length as u64).is_none_or(|end| end > self.len) {
            return Err(ParquetError::EOF("it ends before".to_owned()));
        }
        let mut bytes = Vec::with_capacity(length);
        if self.reader(start).take(length as u64).read_to_end(&mut bytes)? < length {
            return Err(ParquetError::EOF("it ends before".to_owned()));
        }
        Ok(bytes.into())
    }
}

impl Rows {
    pub fn open(contents: Contents, origin: &str, read: &Arc<AtomicU64>) -> Result<Self, DataError> {
        let bytes = contents.len;
        let damaged = |problem: String| DataError::Damaged { origin: origin.to_owned(), problem };
        let reader = quietly(|| SerializedFileReader::new(contents)).map_err(|said| {
            damaged(format!(
                "the table of contents at the end of this Parquet file cannot be read, as in one that was cut off{said}; \
                 fetch or write it again"
            ))
        })?;
        let groups = reader.metadata().row_groups();
        if let Some(column) = groups.iter().flat_map(RowGroupMetaData::columns).find(|column| is_bomb(column)) {
            return Err(damaged(format!(
                "the column '{}' unpacks to more than {RATIO} times its bytes, which no data do; if it is meant, save the \
                 file as JSON Lines",
                column.column_path().string().escape_debug()
            )));
        }
        if reader.metadata().file_metadata().schema_descr().num_columns() == 0 {
            return Err(damaged("this Parquet file has no columns; fetch or write it again".to_owned()));
        }
        let total =
            groups.iter().map(|group| usize::try_from(group.num_rows()).unwrap_or(0)).fold(0, usize::saturating_add);
        let progress = Progress { total, bytes, told: 0, read: Arc::clone(read) };
        Ok(Self { reader, origin: origin.to_owned(), group: 0, open: None, count: 0, before: 0, progress, fault: None })
    }

    pub fn next_chunk(&mut self) -> Result<Option<Vec<Found>>, DataError> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let mut rows = Vec::new();
        while rows.len() < MANY {
            match self.next() {
                Ok(Some(row)) => rows.push(row),
                Ok(None) => break,
                Err(fault) => {
                    self.fault = Some(fault);
                    break;
                }
            }
        }
        if rows.is_empty() {
            return self.fault.take().map_or(Ok(None), Err);
        }
        self.progress.tell(self.count);
        Ok(Some(rows.into_par_iter().with_min_len(64).map(|row| (None, value::entry(row))).collect()))
    }

    fn next(&mut self) -> Result<Option<Row>, DataError> {
        loop {
            if let Some(rows) = &mut self.open {
                match quietly(|| rows.next().transpose()) {
                    Ok(Some(row)) => {
                        self.count += 1;
                        return Ok(Some(row));
                    }
                    Ok(None) => (self.open, self.before) = (None, self.count),
                    Err(said) => {
                        let row = self.count - self.before;
                        return Err(self.fault_in(self.group - 1, row, &said));
                    }
                }
            }
            if self.group == self.reader.num_row_groups() {
                return Ok(None);
            }
            self.group += 1;
            let descriptor = self.reader.metadata().file_metadata().schema_descr_ptr();
            let group = self.group - 1;
            let open = || TreeBuilder::new().as_iter(descriptor, &Checked(self.reader.get_row_group(group)?));
            self.open = Some(quietly(open).map_err(|said| self.fault_in(group, 0, &said))?);
        }
    }

    /// What is wrong with a row of a row group, after a look for the column that it is in.
    fn fault_in(&self, group: usize, row: usize, said: &str) -> DataError {
        let fields = self.reader.metadata().file_metadata().schema_descr().root_schema().get_fields();
        let column = fields.iter().find(|field| {
            let rows = || {
                let root = Type::group_type_builder("schema").with_fields(vec![Arc::clone(field)]).build()?;
                let descriptor = Arc::new(SchemaDescriptor::new(Arc::new(root)));
                let rows = TreeBuilder::new().as_iter(descriptor, &Checked(self.reader.get_row_group(group)?))?;
                rows.take(row + 1).try_for_each(|row| row.map(drop))
            };
            quietly(rows).is_err()
        });
        let column =
            column.map_or_else(String::new, |column| format!(" in the column '{}'", column.name().escape_debug()));
        let problem = format!("entry {} of this Parquet file cannot be read{column}{said}", self.count);
        DataError::Damaged { origin: self.origin.clone(), problem: format!("{problem}; fetch or write it again") }
    }
}

/// Whether a column unpacks to more than any data would.
fn is_bomb(column: &ColumnChunkMetaData) -> bool {
    let stored = column.compressed_size().max(1);
    // Of lists, a few bytes may stand for many elements.
    let elements = if column.column_descr().max_rep_level() > 0 { column.num_values() } else { 0 };
    [column.uncompressed_size(), elements].iter().any(|&size| size > LOOKED_AT && size / RATIO > stored)
}

impl Progress {
    fn tell(&mut self, count: usize) {
        let part = count as f64 / self.total.max(1) as f64;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let now = ((self.bytes as f64 * part) as u64).min(self.bytes);
        self.read.fetch_add(now.saturating_sub(self.told), Ordering::Relaxed);
        self.told = self.told.max(now);
    }
}
