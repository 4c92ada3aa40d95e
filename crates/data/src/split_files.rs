//! The parts of data as files of their own.

use std::{
    fs::File,
    io::{BufWriter, Read, Seek, SeekFrom, Write},
    ops::Range,
    path::Path,
};

use gptune_files::NewFolder;

use crate::{
    BadEntry, DataError, Fractions, Part, Record, Records, Split,
    write::{RecordWriter, Row, line},
};

/// Writes the parts of data into `train.jsonl`, `test.jsonl` and `val.jsonl` of a new or empty folder, each in the order
/// in which training has it, and gives how many records each has. A part without records has no file. The folder is there
/// when all is in it.
///
/// The parts are those of training with the same fractions and seed, as long as nothing is left out: `skip_bad` leaves
/// out what is no object at all, and no other record changes its part for it.
///
/// The data are read twice. In another order than the file's they lie in a temporary file meanwhile, and 16 bytes a record
/// in memory.
///
/// # Errors
///
/// [`DataError::Entries`] for what is no object, [`DataError::Write`], or as [`Records::next_chunk`].
pub fn write_parts(
    records: &Records,
    folder: &Path,
    fractions: Fractions,
    seed: u32,
    skip_bad: bool,
) -> Result<[(Part, usize); 3], DataError> {
    let write = |source| DataError::Write { path: folder.to_owned(), source };
    let new = NewFolder::create(folder).map_err(write)?;
    let mut first = records.again();
    let (mut total, mut bad) = (0, Vec::new());
    while let Some(chunk) = first.next_chunk()? {
        total += chunk.len();
        for Record { place, entry } in chunk {
            if let Err((problem, entry)) = entry {
                bad.push(BadEntry { place, problem, entry });
            }
        }
    }
    let origin = || records.origin().to_owned();
    if total == 0 {
        return Err(DataError::Empty { origin: origin() });
    }
    if !bad.is_empty() && (!skip_bad || bad.len() == total) {
        return Err(DataError::Entries { origin: origin(), bad, total, remedy: Some("--skip-bad") });
    }
    let split = Split::with(total, fractions);
    let parts = [(Part::Train, split.train), (Part::Test, split.test), (Part::Val, split.val)];
    let changed = || DataError::Changed { origin: origin() };
    let mut counts = parts.clone().map(|(part, _)| (part, 0));
    let mut shuffled = match Split::order(total, seed) {
        None => None,
        Some(order) => Some((Shuffled::new(records, total).map_err(|fault| fault.or(write))?, order)),
    };
    let mut source = Source { records: records.again(), left: Vec::new().into_iter().peekable() };
    for ((part, range), (_, count)) in parts.into_iter().zip(&mut counts) {
        if range.is_empty() {
            continue;
        }
        let path = new.path().join(format!("{part}.jsonl"));
        *count = match &mut shuffled {
            None => source.write(range, &path)?.ok_or_else(changed)?,
            Some((shuffled, order)) => {
                let fault = |source| DataError::Write { path: path.clone(), source };
                shuffled.write(&order[range], &path).map_err(fault)?
            }
        };
    }
    new.commit().map_err(write)?;
    Ok(counts)
}

/// Records in the order of the file.
struct Source {
    records: Records,
    left: std::iter::Peekable<std::vec::IntoIter<Record>>,
}

impl Source {
    /// Writes the records of a range, which goes on where the last one ended; none if there are not so many.
    fn write(&mut self, range: Range<usize>, path: &Path) -> Result<Option<usize>, DataError> {
        let mut writer = RecordWriter::create(path)?;
        let mut next = range.start;
        while next < range.end {
            if self.left.peek().is_none() {
                let Some(chunk) = self.records.next_chunk()? else { return Ok(None) };
                self.left = chunk.into_iter().peekable();
            }
            let rows = std::iter::from_fn(|| self.left.next_if(|record| record.place.nth < range.end));
            let rows: Vec<Record> = rows.collect();
            next += rows.len();
            let rows = rows.into_iter().filter_map(|Record { place, entry }| Some((place, entry.ok()?)));
            writer.push(&rows.collect::<Vec<Row>>())?;
        }
        writer.finish().map(Some)
    }
}

/// Records in a temporary file, from where they are taken in any order.
struct Shuffled {
    file: File,
    /// Where each ends; as the one before, if it was left out.
    ends: Vec<u64>,
}

/// What ended a reading that also writes.
enum Fault {
    Read(DataError),
    Write(std::io::Error),
}

impl Fault {
    fn or(self, write: impl Fn(std::io::Error) -> DataError) -> DataError {
        match self {
            Self::Read(error) => error,
            Self::Write(error) => write(error),
        }
    }
}

impl Shuffled {
    fn new(records: &Records, total: usize) -> Result<Self, Fault> {
        let mut file = BufWriter::with_capacity(1 << 20, tempfile::tempfile().map_err(Fault::Write)?);
        let mut ends = Vec::with_capacity(total);
        let mut end = 0;
        let mut records = records.again();
        while let Some(chunk) = records.next_chunk().map_err(Fault::Read)? {
            for record in chunk {
                if let Ok(entry) = record.entry {
                    let line = line(&entry);
                    file.write_all(&line).map_err(Fault::Write)?;
                    end += line.len() as u64;
                }
                ends.push(end);
            }
        }
        if ends.len() != total {
            return Err(Fault::Read(DataError::Changed { origin: records.origin().to_owned() }));
        }
        let file = file.into_inner().map_err(|error| Fault::Write(error.into_error()))?;
        Ok(Self { file, ends })
    }

    fn write(&mut self, numbers: &[usize], path: &Path) -> std::io::Result<usize> {
        let mut out = BufWriter::with_capacity(1 << 20, gptune_files::NewFile::create(path)?);
        let mut line = Vec::new();
        let mut count = 0;
        for &number in numbers {
            let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
            let length = self.ends[number] - start;
            if length == 0 {
                continue;
            }
            self.file.seek(SeekFrom::Start(start))?;
            line.clear();
            let read = (&self.file).take(length).read_to_end(&mut line)?;
            if read as u64 != length {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            out.write_all(&line)?;
            count += 1;
        }
        out.into_inner().map_err(std::io::IntoInnerError::into_error)?.commit()?;
        Ok(count)
    }
}
