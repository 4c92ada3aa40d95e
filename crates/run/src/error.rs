use std::path::PathBuf;

/// What can be wrong with the folder of a run.
///
/// Every message is one sentence that names the place and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The run folder holds something already.
    #[error("the folder {path} exists and is not empty; give another one, or empty it")]
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
    /// A folder without a run.
    #[error("{path} is not the folder of a run: it has no config.toml and metrics.jsonl")]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// Something could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Something could not be written.
    #[error("cannot write {path}: {source}; check the folder's permissions and the free space")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Somebody else is writing into the run's folder.
    #[error("{path} is being written by another process; wait until that ends")]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// A stored state that cannot be gone on with.
    #[error("{path} cannot be used: {problem}")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
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
}
