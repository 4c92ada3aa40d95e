use std::path::PathBuf;

/// What can be wrong with instruction data.
///
/// Every message is one sentence that names the place and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file could not be opened or read.
    #[error("cannot read the dataset {path}: {source}; check the path and its permissions")]
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
    /// An entry is not an object of strings.
    #[error("{origin}, entry {index}: {problem}; mend or remove that entry")]
    Entry {
        /// The file or name of the dataset.
        origin: String,
        /// Index of the entry, counting from 0.
        index: usize,
        /// What is wrong with it, naming the key.
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
        remedy: &'static str,
    },
    /// A prompt leaves no room for a response.
    #[error(
        "{origin}, entry {index}: the prompt alone is {tokens} tokens long and the context holds \
         {limit}; shorten or remove that entry, or raise --max-length (the model's context is the ceiling)"
    )]
    PromptTooLong {
        /// The file or name of the dataset.
        origin: String,
        /// Index of the entry, counting from 0.
        index: usize,
        /// Length of the prompt in tokens.
        tokens: usize,
        /// Longest sequence allowed, in tokens.
        limit: usize,
    },
    /// Text that reads like the special token.
    #[error(
        "{origin}, entry {index} contains the literal text '<|endoftext|>', which would be trained as seven ordinary \
         tokens; remove it (the end-of-text token is added after every response)"
    )]
    LiteralEndOfText {
        /// The file or name of the dataset.
        origin: String,
        /// Index of the entry, counting from 0.
        index: usize,
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
    #[error("the tokenizer of {origin} has no token that ends a text: {problem}; name it as 'eos_token_id' in config.json")]
    NoEndOfText {
        /// Where the tokenizer is from.
        origin: String,
        /// What is missing or wrong.
        problem: String,
    },
}
