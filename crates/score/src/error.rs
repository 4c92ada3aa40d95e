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
    /// Entries that are not answered examples: all of them.
    #[error("{}", entries(.origin, .bad, *.total))]
    Entries {
        /// The file or name of the responses.
        origin: String,
        /// The index of each, counting from 0, and what is wrong with it, naming the key.
        bad: Vec<(usize, String)>,
        /// Entries of the whole file.
        total: usize,
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

/// Bad entries that a message lists.
const LISTED: usize = 20;

fn entries(origin: &str, bad: &[(usize, String)], total: usize) -> String {
    if let [(index, problem)] = bad {
        return format!("{origin}, entry {index}: {problem}; mend or remove that entry");
    }
    let list: Vec<String> =
        bad.iter().take(LISTED).map(|(index, problem)| format!("entry {index}: {problem}")).collect();
    let more = match bad.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let count = bad.len();
    format!("{origin}: {count} of {total} entries cannot be scored: {}{more}; mend or remove them", list.join("; "))
}
