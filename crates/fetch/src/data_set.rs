//! Which files of a repository are the data: what the `datasets` library would read, as far as it is a table of records.

mod card;
mod error;
mod layout;
mod name;
mod pattern;
mod select;
mod shards;
mod yaml;

use std::path::PathBuf;

pub use error::DataSetError;
pub use name::DataSetName;

pub(crate) use card::{CARDS, Config, read as read_card};
pub(crate) use select::{Selection, configurations_of_conversion, script, select};
pub(crate) use shards::absent;

/// A data set in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSet {
    /// `OWNER/NAME`.
    pub repository: String,
    /// The branch, tag or commit that was asked for: `main` if none was, `refs/convert/parquet` if the files are those
    /// that the Hub made of it.
    pub revision: String,
    /// The commit that the files are of.
    pub commit: String,
    /// The configuration that was named, or is the default one.
    pub configuration: Option<String>,
    /// The folder of the files.
    pub folder: PathBuf,
    /// Names of the splits, each with its files in that folder, in the order of their numbers.
    pub splits: Vec<(String, Vec<String>)>,
    /// Files that could be read and are not: the same data in another format, or something else.
    pub left_out: Vec<String>,
    /// Shards that the names of others tell of and the repository does not have.
    pub absent: Vec<String>,
    /// Whether it is known which files the repository has. If not, these are those that are here.
    pub is_known: bool,
}

impl DataSet {
    /// Names of all files, each once.
    #[must_use]
    pub fn files(&self) -> Vec<&str> {
        let mut files: Vec<&str> = self.splits.iter().flat_map(|(_, files)| files).map(String::as_str).collect();
        files.sort_unstable();
        files.dedup();
        files
    }

    /// Names of the splits, each with the paths of its files.
    #[must_use]
    pub fn paths(&self) -> Vec<(String, Vec<PathBuf>)> {
        let path = |file: &String| self.folder.join(file);
        self.splits.iter().map(|(split, files)| (split.clone(), files.iter().map(path).collect())).collect()
    }
}
