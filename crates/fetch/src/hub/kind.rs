//! What a repository holds.

use std::fmt;

/// What a repository of the Hub holds. Displayed as messages call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// A model.
    #[default]
    Model,
    /// A data set.
    DataSet,
}

impl Kind {
    /// What the Hub's API and the cache call such repositories.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::DataSet => "datasets",
        }
    }

    /// What stands before the name of the repository in the address of its page and its files.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Model => "",
            Self::DataSet => "datasets/",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Model => "repository",
            Self::DataSet => "data set",
        })
    }
}
