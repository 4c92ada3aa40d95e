#![doc = include_str!("../README.md")]
//!
//! # The parts
//!
//! [`Responses`] reads the file that `gptune respond` writes, a JSON array of
//! `{"instruction", "input", "output", "model_response"}`. [`score()`] measures it, as a whole and for each
//! `"kind"` that the entries name, and [`compare`] sets two models beside each other, answer by answer.
//!
//! # The metrics
//!
//! Each is between 0 and 1 for an answer, and the mean over answers for a file. All texts are brought into
//! Unicode's composed form (NFC) first, so that `é` is one letter however it was typed.
//!
//! - **`exact`**: the answer is the wanted text, character by character. White space at the ends does not count.
//! - **`normalized`**: the same after lower-casing, after collapsing runs of white space, and without closing
//!   punctuation (`Paris.` is `Paris`) and quotation marks around the whole. Articles and punctuation
//!   *inside* stay, because instructions ask about them: an answer that writes *a apple* for *an apple*, or
//!   *lets eat grandma* for *let's eat, grandma*, is wrong. `SQuAD`'s exact match, which drops
//!   both, would call it right.
//! - **`token_f1`**: the harmonic mean of precision and recall over words, as the evaluation scripts of
//!   `SQuAD` 2.0 (Rajpurkar et al., 2018) and, beyond ASCII, of MLQA for English (Lewis et al., 2020) compute
//!   it: lower case, all punctuation and the articles *a, an, the* dropped, the order of words ignored. Unlike there,
//!   `+` and `#` at the end of a word stay (`C++` is not `C`), and each character of a script that puts no spaces
//!   between words is a word.
//! - **`rouge_l`**: the F-measure of the longest common subsequence of words (Lin, 2004), as Google's
//!   `rouge-score` computes it without stemming: words are runs of the letters a to z and digits. Letters of other
//!   scripts than Latin, which `rouge-score` does not see, are words too, by runs or by characters.
//!
//! Where `token_f1` or `rouge_l` sees no word on one of the sides, both are compared by the words of their normal form:
//! `A` is no answer like an empty one, nor `?` one like `!`.
//!
//! `exact` implies `normalized`, and that implies a `token_f1` of 1.
//!
//! # The intervals
//!
//! They say with 95 % confidence what the mean would be on other test sets of this kind, and nothing about other training
//! runs. Of `exact` and `normalized`, which are shares, they are Wilson's (1927): 0 of 110 right is 0 to 3.4 %. Of
//! the others they are percentile intervals of the bootstrap over answers (Efron, 1979); where all answers of a group
//! score the same, there is nothing to resample, and that interval is a point.
//!
//! A comparison resamples the differences of pairs, which is much sharper than looking whether two
//! intervals overlap, and counts wins, ties and losses. Its p-value is that of the exact two-sided sign test, which
//! for `exact` and `normalized` is `McNemar`'s exact test.

mod bootstrap;
mod error;
mod metrics;
mod ratio;
mod responses;
mod score;
mod sign_test;
mod text;
mod wilson;

pub use error::ScoreError;
pub use metrics::Metrics;
pub use ratio::ratio_interval;
pub use responses::{Answered, Responses};
pub use score::{Breakdown, Comparison, Difference, Estimate, Group, ScoreOptions, Scores, compare, score};
