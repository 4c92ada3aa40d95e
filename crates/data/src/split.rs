//! Cutting a dataset into training, test and validation parts.

use std::{fmt, ops::Range, str::FromStr};

use crate::DataError;

/// A part of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What the model learns from.
    Train,
    /// What the loss is watched on while training.
    Val,
    /// What the finished model is asked.
    Test,
    /// The whole dataset, for one that was never trained on.
    All,
}

impl Part {
    /// The name used on the command line and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
            Self::All => "all",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Part {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        [Self::Train, Self::Val, Self::Test, Self::All].into_iter().find(|part| part.name() == name).ok_or_else(|| {
            DataError::UnknownName { what: "split", given: name.to_owned(), known: "train, val, test, all" }
        })
    }
}

/// The book's split of `n` examples in file order: the first 85% train, the next 10% test, the
/// rest validation, with fractions cut off (935, 110 and 55 of 1,100).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Indices of the training examples.
    pub train: Range<usize>,
    /// Indices of the test examples.
    pub test: Range<usize>,
    /// Indices of the validation examples.
    pub val: Range<usize>,
}

impl Split {
    /// Splits `n` examples.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn new(n: usize) -> Self {
        // In floating point as the book does it: int(n * 0.85), where 0.85 is a little below 85%.
        let train = (n as f64 * 0.85) as usize;
        let test = (n as f64 * 0.1) as usize;
        Self { train: 0..train, test: train..train + test, val: train + test..n }
    }

    /// The indices of one part.
    #[must_use]
    pub fn part(&self, part: Part) -> Range<usize> {
        match part {
            Part::Train => self.train.clone(),
            Part::Val => self.val.clone(),
            Part::Test => self.test.clone(),
            Part::All => 0..self.val.end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(n: usize) -> [usize; 3] {
        let split = Split::new(n);
        [split.train.len(), split.test.len(), split.val.len()]
    }

    #[test]
    fn sizes_are_the_books() {
        assert_eq!(sizes(1100), [935, 110, 55]);
        assert_eq!(sizes(52_002), [44_201, 5_200, 2_601]);
        assert_eq!(sizes(1), [0, 0, 1]);
        assert_eq!(Split::new(1100).part(Part::All), 0..1100);
    }
}
