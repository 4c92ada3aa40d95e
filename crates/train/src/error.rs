use std::path::PathBuf;

use gptune_data::DataError;

/// What can go wrong in a run.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// Something about the data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A recipe that is not what it should be.
    #[error("{origin}, line {line}: {problem}; see assets/recipes for recipes with every key")]
    Recipe {
        /// The recipe's file.
        origin: String,
        /// Line of the fault, counting from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A value that makes no run.
    #[error("the setting '{key}' cannot be used: {problem}")]
    Setting {
        /// The key in the recipe; the flag has dashes instead.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The run folder holds something already.
    #[error("the folder {path} exists and is not empty; give another one (--out of training), or empty it")]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// The run folder is a file.
    #[error("{path} is a file; give another name")]
    NoFolder {
        /// The file.
        path: PathBuf,
    },
    /// Something could not be written.
    #[error("cannot write {path}: {source}; check the folder's permissions and the free space")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A metrics file that is not one.
    #[error("{path}, line {line} is no event of a run: {problem}")]
    Metrics {
        /// The file.
        path: PathBuf,
        /// Line of the fault, counting from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// An observer failed.
    #[error(transparent)]
    Observer(Box<dyn std::error::Error + Send + Sync>),
}
