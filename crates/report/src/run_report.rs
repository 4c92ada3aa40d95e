//! What a run report says, and how it is written.

use std::{io, path::Path};

use gptune_run::Event;

use crate::html;

/// Everything that the page of a run shows. It comes from whoever ran it; the page computes no loss, mark or score
/// of its own.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunReport {
    /// The run's name, the heading of the page.
    pub title: String,
    /// When the run began, as people write it.
    pub started: String,
    /// Name and version of the program.
    pub version: String,
    /// Processor, threads and system.
    pub machine: String,
    /// The device that computed.
    pub device: String,
    /// The model that was fine-tuned.
    pub model: String,
    /// The command that makes the same run again.
    pub command: String,
    /// The resolved configuration, as in `config.toml`.
    pub config_toml: String,
    /// What was learnt from.
    pub data: DataFacts,
    /// The lines of `metrics.jsonl`.
    pub events: Vec<Event>,
    /// What the events do not tell and a reader has to know before any number.
    pub warning: Option<String>,
    /// Test items with their answers, in the order of the data.
    pub answers: Vec<Answer>,
    /// When an answer counts as right: a sentence, shown above the answers.
    pub marking: String,
    /// Scores on the test part, if it was answered.
    pub scores: Option<Scores>,
}

/// The data of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DataFacts {
    /// The file or name.
    pub name: String,
    /// Digest of the data's bytes, with the name of the method before it: `sha256:…`.
    pub fingerprint: String,
    /// Training examples.
    pub train: usize,
    /// Validation examples.
    pub val: usize,
    /// Test examples.
    pub test: usize,
    /// The kinds of examples and how many of each there are; empty where the data name none.
    pub kinds: Vec<(String, usize)>,
}

/// A test item and what the model made of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The place of its entry in the data, counting from 0.
    pub entry: usize,
    /// What to do.
    pub instruction: String,
    /// What to do it with; may be empty.
    pub input: String,
    /// The wanted answer.
    pub expected: String,
    /// The item's kind, where the data name one.
    pub kind: Option<String>,
    /// Before training, if it was asked then.
    pub before: Option<Reply>,
    /// After training.
    pub after: Reply,
}

/// What a model answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// The answer.
    pub text: String,
    /// Whether it counts as right.
    pub right: bool,
}

/// Scores on the test part.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scores {
    /// How the intervals were made: a sentence.
    pub about: String,
    /// The first one is shown in the summary.
    pub metrics: Vec<Metric>,
}

/// One way to score answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// How its values are written.
    pub scale: Scale,
    /// Over all items.
    pub overall: Score,
    /// Over the items of each kind.
    pub kinds: Vec<(String, Score)>,
}

/// How values of a metric are written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// From 0 to 1, written in per cent.
    Share,
    /// From 0 to so many points.
    Points(f64),
}

/// A mean over items, before and after training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// How many items.
    pub items: usize,
    /// Before training, if the items were answered then.
    pub before: Option<Estimate>,
    /// After training.
    pub after: Estimate,
    /// After less before, item by item.
    pub difference: Option<Estimate>,
}

/// A mean and its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl RunReport {
    /// The page: one HTML document that needs nothing else and runs no script.
    #[must_use]
    pub fn to_html(&self) -> String {
        html::page(self)
    }

    /// Writes the page to a file, which appears under its name when it is complete.
    ///
    /// # Errors
    ///
    /// What the operating system says; nothing is left behind then.
    pub fn write_html(&self, path: &Path) -> io::Result<()> {
        gptune_files::write(path, self.to_html().as_bytes())
    }
}
