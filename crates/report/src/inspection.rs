//! What is trained of some entries, and how it is written.

use std::{io, path::Path};

use crate::html;

/// Some entries of data as they would be trained on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inspection {
    /// Name and version of the program.
    pub version: String,
    /// What the data are called.
    pub data: String,
    /// How they are looked at: a sentence.
    pub about: String,
    /// The entries in the order of the data.
    pub entries: Vec<InspectedEntry>,
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InspectedEntry {
    /// Where it stands, and how much of it is trained.
    pub heading: String,
    /// What is wrong with it, if it cannot be used.
    pub problem: Option<String>,
    /// What else to know about it.
    pub note: Option<String>,
    /// Its text from beginning to end.
    pub parts: Vec<InspectedPart>,
}

/// A part of an entry's text that shares one fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectedPart {
    /// The text, or the name of a special token.
    pub text: String,
    /// What becomes of it.
    pub kind: PartKind,
    /// Whether it is learnt; of special tokens the kind does not say so.
    pub trained: bool,
}

/// What becomes of a part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartKind {
    /// It is read and not learnt.
    Context,
    /// It is learnt.
    Trained,
    /// It is left off.
    Cut,
    /// A token that is no text.
    Special,
}

impl Inspection {
    /// The page: one HTML document that needs nothing else and runs no script.
    #[must_use]
    pub fn to_html(&self) -> String {
        html::inspection(self)
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
