use std::path::PathBuf;

/// What can be wrong with a file of responses.
///
/// Every message is one sentence that names the place and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// The file could not be opened or read.
    #[error("cannot read the responses {path}: {source}; check the path and its permissions")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The text is not a JSON array.
    #[error(
        "{origin} is not a JSON array at line {line}, column {column}: {message}; responses are an array of \
         {{\"instruction\", \"input\", \"output\", \"model_response\"}}, as gptune respond writes it"
    )]
    Json {
        /// The file or name of the responses.
        origin: String,
        /// Line of the fault, counting from 1.
        line: usize,
        /// Column of the fault, counting from 1.
        column: usize,
        /// What the parser said.
        message: String,
    },
    /// An entry is not an answered example.
    #[error("{origin}, entry {index}: {problem}; mend or remove that entry")]
    Entry {
        /// The file or name of the responses.
        origin: String,
        /// Index of the entry, counting from 0.
        index: usize,
        /// What is wrong with it, naming the key.
        problem: String,
    },
    /// There is no entry at all.
    #[error("{origin} holds no responses; make some with gptune respond")]
    Empty {
        /// The file or name of the responses.
        origin: String,
    },
    /// Two files answer different examples.
    #[error("entry {index} has not the same '{key}' in {first} and {second}; compare answers to the same examples")]
    Mismatch {
        /// Index of the first entry that differs, counting from 0.
        index: usize,
        /// What differs.
        key: &'static str,
        /// One of the files.
        first: String,
        /// The other file.
        second: String,
    },
    /// One file goes on where the other ends.
    #[error(
        "{first} holds {first_count} responses and {second} holds {second_count}; compare answers to the same examples"
    )]
    Count {
        /// One of the files.
        first: String,
        /// Its responses.
        first_count: usize,
        /// The other file.
        second: String,
        /// Its responses.
        second_count: usize,
    },
}
