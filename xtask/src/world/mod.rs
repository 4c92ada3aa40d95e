//! A small invented curriculum: instruction examples, and a plain-text corpus
//! that states everything that they ask about.
//!
//! Both are generated from the word lists in `xtask/words/`, which were written
//! for this project. Generation is deterministic: it depends on the lists and
//! on [`SEED`] alone, so the committed files can be checked against it.
//!
//! - [`sample_data`] draws the examples for `crates/gptune/assets/sample-data.json`. A fact,
//!   such as "hot is the opposite of cold", is asked about at most once, so no
//!   test example is a near copy of a training example.
//! - [`corpus()`] writes the text for pretraining a tiny model. It states every
//!   fact many times in plain sentences and never looks like an instruction.
//!
//! To add a kind of task, add a list to `words/` and its name to `facts.rs`.

mod corpus;
mod derive;
mod english;
mod facts;
mod instructions;
mod rng;
mod stories;
mod talk;
mod template;
#[cfg(test)]
mod tests;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use facts::World;

/// Seeds everything that is drawn at random.
const SEED: u64 = 124;

/// The number of examples in the training part, which comes first.
pub const TRAIN: usize = 935;
/// The number of examples in the test part, which comes second.
pub const TEST: usize = 110;
/// The number of examples in the validation part, which comes last.
pub const VALIDATION: usize = 55;

/// One instruction example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// What to do.
    pub instruction: String,
    /// What to do it to; empty when the instruction says everything.
    pub input: String,
    /// The one right answer.
    pub output: String,
    /// The kind of task, such as `opposite`.
    pub kind: String,
    /// Where the example came from; not part of the file.
    #[serde(skip)]
    pub source: Source,
}

/// The fact behind an example. Empty for an example read from JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// The fact group, of which at most one example may be drawn.
    pub fact: String,
    /// What the example asks about.
    pub subject: String,
    /// What the answer must convey.
    pub answer: String,
}

/// Generates the instruction examples: first [`TRAIN`], then [`TEST`], then
/// [`VALIDATION`], with every kind in proportion in each part.
///
/// # Errors
///
/// Fails when a word list is malformed or a rule of [`check`] is broken.
pub fn sample_data() -> Result<Vec<Example>> {
    let examples = instructions::draw(&World::load()?)?;
    check(&examples)?;
    Ok(examples)
}

/// Generates the pretraining corpus: documents of one paragraph each, separated
/// by blank lines.
///
/// # Errors
///
/// Fails when a word list is malformed.
pub fn corpus() -> Result<String> {
    corpus::write(&World::load()?, 1)
}

/// Checks the number of examples, that none is empty, that no prompt and no
/// fact is asked twice, and that every kind occurs in every part.
///
/// # Errors
///
/// Fails with the first broken rule.
pub fn check(examples: &[Example]) -> Result<()> {
    instructions::check(examples)
}

/// Writes examples the way `crates/gptune/assets/sample-data.json` holds them: indented by
/// four spaces, with a final line end.
///
/// # Errors
///
/// Fails when serialisation does, which these plain strings give no cause for.
pub fn to_json(examples: &[Example]) -> Result<String> {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    examples.serialize(&mut serializer)?;
    bytes.push(b'\n');
    String::from_utf8(bytes).context("JSON is UTF-8")
}
