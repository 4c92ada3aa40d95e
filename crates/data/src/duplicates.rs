//! Texts that are there twice, or nearly so.
//!
//! * [`Seen`] knows which contents a stream has had before, by 24 to 31 bytes each.
//! * [`NearDuplicates`] are all pairs of texts above a similarity, none missed: for texts that are in memory.
//! * [`MinHash`] finds most of them in texts that are read again and again instead, by 64 bytes each.
//!
//! The similarity is the one of the near-duplicate program of the book's chapter 7: texts in lower case without
//! punctuation are counted by their characters, pairs and triples of characters; counts are weighted by how rare each is
//! (`TfidfVectorizer` of scikit-learn), and the cosine of two texts' weights is how similar they are.

mod all_pairs;
mod candidates;
mod compare;
mod grams;
mod min_hash;
mod near;
mod seen;
mod stream;
mod vectors;

pub use min_hash::MinHash;
pub use near::NearDuplicates;
pub use seen::{Digest, Seen};

/// Two texts that are nearly the same, by their numbers from 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NearDuplicate {
    /// The number of the text that comes first.
    pub first: usize,
    /// The number of the other one.
    pub second: usize,
    /// How similar they are: the cosine of their weighted counts, from 0 to 1.
    pub similarity: f64,
}

/// Why near duplicates were not searched to the end.
#[derive(Debug, thiserror::Error)]
pub enum DuplicateError<E = std::convert::Infallible> {
    /// No similarity.
    #[error("the similarity {given} is not above 0 and below 1; give one in between, such as 0.9")]
    Threshold {
        /// What was given.
        given: f64,
    },
    /// More pairs than the caller wants to keep.
    #[error("more than {most} pairs of texts are more similar than {threshold}; give a higher similarity")]
    TooMany {
        /// How many would have been kept.
        most: u64,
        /// The similarity.
        threshold: f64,
    },
    /// More texts than a number of 32 bits can tell apart.
    #[error("there are more than {} texts; search for near duplicates in parts of the data", stream::MOST)]
    TooLong,
    /// A source gave other texts when it was read again.
    #[error(
        "the data had {before} texts at first and {now} when they were read again; let no other program write them"
    )]
    Changed {
        /// How many texts the first pass had.
        before: usize,
        /// How many a later one had.
        now: usize,
    },
    /// The source could not be read.
    #[error(transparent)]
    Source(E),
}

/// Whether a similarity can be a threshold.
pub(crate) fn check_threshold<E>(given: f64) -> Result<(), DuplicateError<E>> {
    if given > 0.0 && given < 1.0 { Ok(()) } else { Err(DuplicateError::Threshold { given }) }
}
