//! Streams of records, from every kind of file that instruction data are kept in.

mod foreign;
mod found;
mod input;
mod json;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(not(feature = "parquet"))]
#[path = "records/parquet_absent.rs"]
mod parquet;
mod scan;
mod source;
mod stored;
mod table;
mod text;

use std::{
    borrow::Cow,
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use self::{source::Source, stored::Stored};
use crate::DataError;

/// A record, or what is wrong with it and what stands in its place.
pub type Entry = Result<Map<String, Value>, (String, Value)>;

/// One record of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Where it stands.
    pub place: Place,
    /// What it holds: its keys in the file's order; or the problem, and the value or the text of the line.
    pub entry: Entry,
}

/// Where a record stands. Shown as `entry 3`, `entry 3 (line 4)`, and of several files `part-2.jsonl, entry 3`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Place {
    /// The file, where there are several.
    pub file: Option<Arc<str>>,
    /// Its place in the file, counting from 0.
    pub index: usize,
    /// The line that it starts in, counting from 1, in a file with records a line.
    pub line: Option<usize>,
    /// Its place among the records of all files, counting from 0.
    pub nth: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}, ")?;
        }
        write!(f, "entry {}", self.index)?;
        self.line.map_or(Ok(()), |line| write!(f, " (line {line})"))
    }
}

/// A stream of the records of one or several files, in order.
///
/// What a file is, its contents decide, and its name where these leave it open: a JSON array, JSON Lines, an object that
/// holds the list, a table with `,`, `;` or tabs, or Parquet; all but Parquet may be compressed with gzip or zstd. A
/// stream holds some megabytes at a time, however long the files are.
pub struct Records {
    origin: String,
    files: Arc<[File]>,
    /// The file that is read, or would be next.
    current: usize,
    source: Option<Source>,
    /// The places of the records that are wanted, in order; none for all.
    wanted: Option<Arc<[usize]>>,
    /// Bytes of the files, as they are stored, that were read.
    read: Arc<AtomicU64>,
    /// Records of the file that is read, and of all.
    index: usize,
    nth: usize,
}

/// A file of a stream.
struct File {
    stored: Stored,
    /// For errors.
    origin: String,
    /// For places of records, where there are several files.
    name: Option<Arc<str>>,
    bytes: u64,
}

impl Records {
    /// What a place names: a file; a folder, which is all data files in it, sorted by their names, numbers in these by
    /// their values; a pattern with `*`, `?` or `[`, unless there is a file of that name; or `-`, the standard input.
    ///
    /// # Errors
    ///
    /// [`DataError::Read`] for what cannot be opened, [`DataError::NoFiles`] for a folder or pattern without data.
    pub fn open(place: &str) -> Result<Self, DataError> {
        if place == "-" {
            let kept = Stored::keep(&mut std::io::stdin().lock());
            let stored = kept.map_err(|source| DataError::Read { path: "the standard input".into(), source })?;
            return Ok(Self::new("the standard input".to_owned(), vec![("the standard input".to_owned(), stored)]));
        }
        Self::of_files(place, found::files(place)?)
    }

    /// The records of these files, one after the other; `origin` names the whole in messages.
    ///
    /// # Errors
    ///
    /// [`DataError::Read`] for a file that cannot be opened, [`DataError::NoFiles`] if there is none.
    pub fn of_files(origin: &str, files: Vec<PathBuf>) -> Result<Self, DataError> {
        if files.is_empty() {
            return Err(DataError::NoFiles { place: origin.to_owned(), problem: "names no file".to_owned() });
        }
        let single = files.len() == 1;
        let stored = |path: PathBuf| {
            // The name of the whole is that of its only file, as it was given.
            let name = if single { origin.to_owned() } else { path.display().to_string() };
            Ok((name, Stored::of_file(path)?))
        };
        Ok(Self::new(origin.to_owned(), files.into_iter().map(stored).collect::<Result<_, DataError>>()?))
    }

    /// The records of a file's bytes; `origin` names them in messages, and its end says what they are where the bytes do
    /// not.
    #[must_use]
    pub fn of_bytes(origin: &str, bytes: Cow<'static, [u8]>) -> Self {
        Self::new(origin.to_owned(), vec![(origin.to_owned(), Stored::of_bytes(bytes))])
    }

    fn new(origin: String, files: Vec<(String, Stored)>) -> Self {
        let names = found::short_names(files.iter().map(|(name, _)| Path::new(name)));
        let file = |((origin, stored), name): ((String, Stored), _)| File { bytes: stored.len(), stored, origin, name };
        let files = files.into_iter().zip(names).map(file).collect();
        Self::over(origin, files)
    }

    fn over(origin: String, files: Arc<[File]>) -> Self {
        Self { origin, files, current: 0, source: None, wanted: None, read: Arc::default(), index: 0, nth: 0 }
    }

    /// The next records, at most some thousands or some megabytes; none at the end. They are parsed on all threads of
    /// `rayon`'s pool.
    ///
    /// # Errors
    ///
    /// What is wrong with a file as a whole, or from some place on: [`DataError::Json`], [`DataError::NotText`],
    /// [`DataError::OtherShape`], [`DataError::Damaged`], [`DataError::Empty`], [`DataError::Read`]. The stream ends
    /// there. A record that cannot be used is no error, but a [`Record`].
    pub fn next_chunk(&mut self) -> Result<Option<Vec<Record>>, DataError> {
        let chunk = self.chunk();
        if chunk.is_err() {
            (self.current, self.source) = (self.files.len(), None);
        }
        chunk
    }

    fn chunk(&mut self) -> Result<Option<Vec<Record>>, DataError> {
        while let Some(file) = self.files.get(self.current) {
            let source = match &mut self.source {
                Some(source) => source,
                none => {
                    self.index = 0;
                    none.insert(Source::open(&file.stored, &file.origin, &self.read)?)
                }
            };
            let nth = self.nth;
            let wanted = |at| self.wanted.as_ref().is_none_or(|places| places.binary_search(&(nth + at)).is_ok());
            let Some(found) = source.next_chunk(&wanted)? else {
                (self.current, self.source) = (self.current + 1, None);
                let before: u64 = self.files[..self.current].iter().map(|file| file.bytes).sum();
                self.read.store(before, Ordering::Relaxed);
                continue;
            };
            if found.is_empty() {
                continue;
            }
            let (index, nth) = (self.index, self.nth);
            self.index += found.len();
            self.nth += found.len();
            let record = |(at, (line, entry))| Record {
                place: Place { file: file.name.clone(), index: index + at, line, nth: nth + at },
                entry,
            };
            return Ok(Some(found.into_iter().enumerate().map(record).collect()));
        }
        Ok(None)
    }

    /// The same stream from its start again. The standard input was kept: in memory up to 64 MB, beyond in a temporary
    /// file.
    #[must_use]
    pub fn again(&self) -> Self {
        Self::over(self.origin.clone(), Arc::clone(&self.files))
    }

    /// The same again, of which only the records at these places, in order, are wanted: others may come as empty ones,
    /// without being looked at.
    pub(crate) fn again_for(&self, places: Vec<usize>) -> Self {
        Self { wanted: Some(places.into()), ..self.again() }
    }

    /// SHA-256 over the bytes of the file as they are stored; of several files, over their digests.
    ///
    /// # Errors
    ///
    /// [`DataError::Read`] for a file that can no longer be read.
    pub fn digest(&self) -> Result<[u8; 32], DataError> {
        let digests: Vec<[u8; 32]> = self.files.iter().map(|file| file.stored.digest()).collect::<Result<_, _>>()?;
        match digests[..] {
            [one] => Ok(one),
            _ => Ok(Sha256::digest(digests.concat()).into()),
        }
    }

    /// Whether a path leads to one of the files.
    #[must_use]
    pub fn reads(&self, path: &Path) -> bool {
        let Ok(path) = path.canonicalize() else { return false };
        // The only file of a folder is called by the folder's name.
        let is_it = |found: PathBuf| found == path || path.parent() == Some(&found);
        self.files.iter().any(|file| Path::new(&file.origin).canonicalize().is_ok_and(is_it))
    }

    /// What the names of the files decide: how each is read, and what places are called.
    pub(crate) fn names(&self) -> String {
        let name = |file: &File| format!("{:?} {:?}\n", file.name, source::Kind::of_name(&file.origin));
        self.files.iter().map(name).collect()
    }

    /// What the stream is called in messages.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Bytes of all files as they are stored.
    #[must_use]
    pub fn bytes_total(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Bytes of them that were read, which is a little ahead of the records.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed).min(self.bytes_total())
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("origin", &self.origin)
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}
