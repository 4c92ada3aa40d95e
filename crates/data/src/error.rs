use std::path::PathBuf;

use crate::BadEntry;

/// What can be wrong with instruction data.
///
/// Every message is one sentence that names the place and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file could not be opened or read.
    #[error("cannot read {path}: {source}; check the path and its permissions")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The text is neither a JSON array nor JSON Lines.
    #[error(
        "{origin} is not valid JSON at line {line}, column {column}: {message}; a dataset is a JSON \
         array (or one object a line) of {{\"instruction\", \"input\", \"output\"}}"
    )]
    Json {
        /// The file or name of the dataset.
        origin: String,
        /// Line of the fault, counting from 1.
        line: usize,
        /// Column of the fault, counting from 1.
        column: usize,
        /// What the parser said.
        message: String,
    },
    /// Entries that cannot be used: all of them.
    #[error("{}", entries(.origin, .bad, *.total, *.remedy))]
    Entries {
        /// The file or name of the dataset.
        origin: String,
        /// The entries, in the order of the file.
        bad: Vec<BadEntry>,
        /// Entries of the whole file.
        total: usize,
        /// The setting that leaves them out, if there is one.
        remedy: Option<&'static str>,
    },
    /// Several files that cannot be used, each for entries of its own.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; and "))]
    Files(Vec<DataError>),
    /// The file can be read, and is no list of records.
    #[error("{origin}: {problem}")]
    OtherShape {
        /// The file or name of the dataset.
        origin: String,
        /// What it is, and what to do.
        problem: String,
    },
    /// The file is of a kind that is not read, or no UTF-8.
    #[error("{origin} is {kind}")]
    NotText {
        /// The file or name of the dataset.
        origin: String,
        /// What it is, and what to do.
        kind: String,
    },
    /// The file ends too early, or cannot be what it is said to be from some place on.
    #[error("{origin} is damaged: {problem}")]
    Damaged {
        /// The file or name of the dataset.
        origin: String,
        /// What about it, and what to do.
        problem: String,
    },
    /// A place that names no file.
    #[error("'{place}' {problem}")]
    NoFiles {
        /// The place as it was given.
        place: String,
        /// What about it, and what to do.
        problem: String,
    },
    /// There is no entry at all.
    #[error("{origin} holds no examples; give it at least one {{\"instruction\", \"input\", \"output\"}}")]
    Empty {
        /// The file or name of the dataset.
        origin: String,
    },
    /// A part of the split is too small to train or evaluate on.
    #[error("the {part} part has {examples} of {total} examples and needs at least {needed}; {remedy}")]
    PartTooSmall {
        /// `train`, `val` or `test`.
        part: &'static str,
        /// Examples in that part.
        examples: usize,
        /// Examples in the whole dataset.
        total: usize,
        /// Examples needed.
        needed: usize,
        /// What to do.
        remedy: String,
    },
    /// A name that stands for nothing.
    #[error("unknown {what} '{given}'; known: {known}")]
    UnknownName {
        /// What kind of name it is.
        what: &'static str,
        /// The name that was given.
        given: String,
        /// The names that exist.
        known: &'static str,
    },
    /// The tokenizer tables could not be built or written.
    #[error("the tokenizer failed: {0}")]
    Tokenizer(String),
    /// A file could not be written.
    #[error("cannot write {path}: {source}; check the folder's permissions and the free space")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A search for duplicates that cannot be.
    #[error("{origin}: {problem}")]
    Duplicates {
        /// The file or name of the dataset.
        origin: String,
        /// What about it, and what to do.
        problem: String,
    },
    /// A file of records that cannot be as it was asked for.
    #[error("cannot write {path}: {problem}")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What about it or one of the records, and what to do.
        problem: String,
    },
    /// A text is too short to be trained on.
    #[error(
        "{origin} has {tokens} tokens, too few for two blocks of {block_size}; give more text or a smaller --block-size"
    )]
    TextTooShort {
        /// The file.
        origin: String,
        /// Tokens of the text.
        tokens: usize,
        /// Tokens of a block.
        block_size: usize,
    },
    /// A token id outside the vocabulary.
    #[error("token id {id} is outside the vocabulary of {size} entries")]
    UnknownToken {
        /// The id.
        id: u32,
        /// Size of the vocabulary.
        size: usize,
    },
    /// A file of a model's own tokenizer that cannot be used.
    #[error(
        "{path} cannot be used as the model's tokenizer: {problem}; without tokenizer files the model is taken to have \
         GPT-2's"
    )]
    TokenizerFile {
        /// The file.
        path: PathBuf,
        /// What about it.
        problem: String,
    },
    /// No token ends a text.
    #[error(
        "the tokenizer of {origin} has no token that ends a text: {problem}; name it as 'eos_token_id' in config.json"
    )]
    NoEndOfText {
        /// Where the tokenizer is from.
        origin: String,
        /// What is missing or wrong.
        problem: String,
    },
    /// A split that is none.
    #[error(
        "the split '{given}' cannot be used; give the per cent for training, test and validation, which add up to 100, such \
         as 85/10/5"
    )]
    Fractions {
        /// What was given.
        given: String,
    },
    /// A template that cannot be used, or does not take a conversation.
    #[error("the template {name}: {problem}")]
    Template {
        /// Its name or file.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// Keys that a user names, and that cannot be used.
    #[error(
        "'{given}' says not which key holds what: {problem}; known are instruction, input, output, system, or messages alone, \
         or text alone, each as NAME=KEY with commas between"
    )]
    Fields {
        /// What was given.
        given: String,
        /// What about it.
        problem: String,
    },
    /// Data that changed while they were in use.
    #[error("{origin} is not what it was when it was read first; begin again with data that stay as they are")]
    Changed {
        /// The file or name of the data.
        origin: String,
    },
    /// A folder of the token cache that cannot be used.
    #[error("the token cache {path} is damaged: {problem}; remove that folder, and it is made anew")]
    TokenCache {
        /// The folder.
        path: PathBuf,
        /// What about it.
        problem: String,
    },
    /// Every training example is cut before its response.
    #[error(
        "{origin}: --max-length {max_length} cuts every training example before its response, so that there is nothing to \
         learn from; raise it"
    )]
    NothingToLearn {
        /// The file or name of the dataset.
        origin: String,
        /// Tokens that are kept of an example.
        max_length: usize,
    },
}

impl DataError {
    /// The same where there is no setting that leaves entries out.
    #[must_use]
    pub fn without_remedy(self) -> Self {
        match self {
            Self::Entries { origin, bad, total, remedy: _ } => Self::Entries { origin, bad, total, remedy: None },
            Self::Files(faults) => Self::Files(faults.into_iter().map(Self::without_remedy).collect()),
            other => other,
        }
    }
}

/// Bad entries that a message lists.
const LISTED: usize = 20;

fn entries(origin: &str, bad: &[BadEntry], total: usize, remedy: Option<&str>) -> String {
    let advice = |which: &str, them: &str| {
        if bad.len() >= total {
            return format!("mend {them}, or give other data");
        }
        match remedy {
            Some(remedy) => format!("mend or remove {which}, or leave {them} out with {remedy}"),
            None => format!("mend or remove {which}"),
        }
    };
    if let [entry] = bad {
        return format!("{origin}, {}: {}; {}", entry.place, entry.problem, advice("that entry", "it"));
    }
    let list: Vec<String> =
        bad.iter().take(LISTED).map(|entry| format!("{}: {}", entry.place, entry.problem)).collect();
    let more = match bad.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!(
        "{origin}: {} of {total} entries cannot be used: {}{more}; {} (entries count from 0)",
        bad.len(),
        list.join("; "),
        advice("them", "them")
    )
}
