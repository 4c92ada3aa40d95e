//! Cutting a dataset into training, test and validation parts.

use std::{fmt, ops::Range, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{DataError, Mt19937};

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

/// How much of a dataset goes into each part, in per cent: training, test and validation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fractions {
    train: f64,
    test: f64,
    val: f64,
}

impl Default for Fractions {
    /// The book's: 85, 10 and 5.
    fn default() -> Self {
        Self { train: 85.0, test: 10.0, val: 5.0 }
    }
}

impl fmt::Display for Fractions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.train, self.test, self.val)
    }
}

impl FromStr for Fractions {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        let numbers: Vec<f64> = text
            .split('/')
            .filter_map(|number| number.trim().parse().ok())
            .filter(|n| (0.0..=100.0).contains(n))
            .collect();
        match numbers[..] {
            [train, test, val] if text.matches('/').count() == 2 && (train + test + val - 100.0).abs() < 1e-6 => {
                Ok(Self { train, test, val })
            }
            _ => Err(DataError::Fractions { given: text.to_owned() }),
        }
    }
}

impl TryFrom<String> for Fractions {
    type Error = DataError;

    fn try_from(text: String) -> Result<Self, DataError> {
        text.parse()
    }
}

impl From<Fractions> for String {
    fn from(fractions: Fractions) -> Self {
        fractions.to_string()
    }
}

/// Which examples are in which part: the first ones train, the next ones test, the rest validation.
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
    /// Splits `n` examples as the book does, with fractions cut off: 935, 110 and 55 of 1,100.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self::with(n, Fractions::default())
    }

    /// The order in which `n` examples are split: that of `torch.randperm` after `torch.manual_seed(seed)`; none, which is
    /// that of the data, for 0.
    #[must_use]
    pub fn order(n: usize, seed: u32) -> Option<Vec<usize>> {
        (seed != 0).then(|| Mt19937::new(seed).permutation(n))
    }

    /// Splits `n` examples into these fractions.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn with(n: usize, Fractions { train, test, val }: Fractions) -> Self {
        // In floating point as the book does it: int(n * 0.85), where 0.85 is a little below 85%.
        let part = |per_cent: f64| (n as f64 * (per_cent / 100.0)) as usize;
        let train = part(train).min(n);
        // What is cut off goes to validation, unless that is to have nothing.
        let test = if val == 0.0 { n - train } else { part(test).min(n - train) };
        Self { train: 0..train, test: train..train + test, val: train + test..n }
    }

    /// Parts of these sizes, one after the other.
    #[must_use]
    pub fn of_sizes(train: usize, test: usize, val: usize) -> Self {
        Self { train: 0..train, test: train..train + test, val: train + test..train + test + val }
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

    #[test]
    fn fractions_are_read_and_used() {
        assert_eq!(Split::with(1100, "85/10/5".parse().unwrap()), Split::new(1100));
        let sizes = |text: &str, n| {
            let split = Split::with(n, text.parse().unwrap());
            [split.train.len(), split.test.len(), split.val.len()]
        };
        assert_eq!(sizes("80/10/10", 1100), [880, 110, 110]);
        assert_eq!(sizes("90/10/0", 105), [94, 11, 0]);
        assert_eq!(sizes("100/0/0", 7), [7, 0, 0]);
        assert_eq!(sizes("0/0/100", 7), [0, 0, 7]);
        for text in ["80/10", "80/10/20", "80,10,10", "-10/60/50", "a/b/c", "80/10/10/0", "NaN/50/50"] {
            assert!(text.parse::<Fractions>().unwrap_err().to_string().contains(text), "{text}");
        }
        assert_eq!("82.5/10/7.5".parse::<Fractions>().unwrap().to_string(), "82.5/10/7.5");
    }
}
