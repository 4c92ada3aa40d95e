//! What a comparison of runs says, and how it is written.

use std::{io, path::Path};

use gptune_run::Event;

use crate::{
    html,
    run_report::{Estimate, Scale},
};

/// Several runs side by side. Losses and their places come from the events; the page computes no score of its own.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunComparison {
    /// Name and version of the program.
    pub version: String,
    /// The runs; the page calls them A, B, C and so on, in this order.
    pub runs: Vec<ComparedRun>,
    /// Settings by name, with the value of each run in the order of [`runs`](Self::runs); none where a run has no such
    /// setting. The page tells those that differ from those that do not.
    pub settings: Vec<(String, Vec<Option<String>>)>,
    /// How scores and their intervals were made: a sentence.
    pub scoring: String,
    /// What a reader has to know before any number, such as that runs were measured on different data: a sentence each.
    pub notes: Vec<String>,
    /// Whether they were measured on different data, so that no value is called the best.
    pub incomparable: bool,
}

/// A run among others.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ComparedRun {
    /// Its name.
    pub name: String,
    /// How it stands, in a word or two: "completed".
    pub state: String,
    /// The lines of its `metrics.jsonl`.
    pub events: Vec<Event>,
    /// How long it took, where that is known.
    pub seconds: Option<f64>,
    /// How close its answers on the test part are to the wanted ones, if it gave any.
    pub scores: Vec<RunScore>,
}

/// A score of a run. Scores of the same name are compared; a higher one is better.
#[derive(Debug, Clone, PartialEq)]
pub struct RunScore {
    /// Its name.
    pub name: String,
    /// How its values are written.
    pub scale: Scale,
    /// Over how many answers.
    pub items: usize,
    /// The mean over them. An interval whose ends are not finite is not shown.
    pub estimate: Estimate,
}

impl RunComparison {
    /// The page: one HTML document that needs nothing else and runs no script.
    #[must_use]
    pub fn to_html(&self) -> String {
        html::comparison(self)
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
