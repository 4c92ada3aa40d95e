#![doc = include_str!("../README.md")]
//!
//! # The path of an example
//!
//! 1. [`Records`] streams what files hold, and a [`Shape`] says what the keys of a [`Record`] mean: an [`Example`];
//! 2. [`Template`] writes an [`Example`] as the text a model sees;
//! 3. [`Encoder`] turns it with a [`Tokenizer`] into a [`Sequence`]: ids and what is trained of them;
//! 4. [`Corpus`] does this for all of a stream, [`Dataset`] holds examples in memory, and [`Split`] cuts either into
//!    training, test and validation parts;
//! 5. [`Sequence`]s are cut and masked into a [`Batch`] by [`Collator`], which is padded
//!    where somebody asks for its [`Rectangle`];
//! 6. [`Loader`] walks over batches in an order drawn from an [`OrderStream`], which reproduces
//!    PyTorch's `DataLoader` order bit by bit.

mod collate;
mod corpus;
mod dataset;
mod duplicates;
mod encode;
mod error;
mod example;
mod examples;
mod excerpt;
mod findings;
mod loader;
mod message;
mod order;
mod records;
mod repeats;
mod reshape;
mod sequence;
mod shape;
mod spans;
mod split;
mod split_files;
mod statistics;
mod stored;
mod template;
mod tokenizer;
mod write;

pub use collate::{Batch, Collator, Rectangle, Row};
pub use corpus::{Corpus, CorpusOptions};
pub use dataset::{Dataset, ReadOptions};
pub use duplicates::{Digest, DuplicateError, MinHash, NearDuplicate, NearDuplicates, Seen};
pub use encode::{Encoder, Lengths, TooLong};
pub use error::DataError;
pub use example::{BadEntry, Example};
pub use examples::Examples;
pub use excerpt::Excerpt;
pub use findings::{Check, Checked, Finding, FindingKind, Severity};
pub use loader::{BatchIter, Loader};
pub use message::{Message, Role};
pub use order::{Mt19937, Order, OrderStream};
pub use records::{Entry, Place, Record, Records};
pub use repeats::{Compared, Repeats, RepeatsOptions};
pub use reshape::{KnownShape, Reshape};
pub use sequence::{IGNORE_INDEX, Sequence, Sequences};
pub use shape::Shape;
pub use spans::{Span, SpanKind, spans};
pub use split::{Fractions, Part, Split};
pub use split_files::write_parts;
pub use statistics::{Bar, Length, Padding, Statistics};
pub use template::{Template, Turns};
pub use tokenizer::{Added, END_OF_TEXT, END_OF_TEXT_ID, Tokenizer, VOCAB_SIZE};
pub use write::{Row as WrittenRow, check_ending, write_records};
