//! What is wrong with data, or may be.

mod kind;
mod record;
mod repeated;

use std::sync::Arc;

use crate::{
    Collator, DataError, Encoder, Examples, Fractions, Lengths, NearDuplicate, Place, Records, Shape,
    duplicates::check_threshold,
    repeats::{Compared, Near, Texts},
};

pub use kind::{FindingKind, Severity};

use record::{Facts, Headers};
use repeated::{Key, Parts};

/// Entries of a finding that are kept.
const MOST: usize = 10_000;

/// How data are looked at: as a model would be trained on them.
#[derive(Debug, Clone)]
pub struct Check<'a> {
    /// How texts become ids.
    pub encoder: Encoder<'a>,
    /// How many of these are kept.
    pub lengths: Lengths,
    /// Which keys of a record hold what; none for what the first record of each file shows.
    pub shape: Option<Shape>,
    /// The parts between which nothing should be the same.
    pub split: Fractions,
    /// The seed that shuffles data before; 0 for none.
    pub split_seed: u32,
    /// How similar near duplicates are, above 0; with 1 they are not searched.
    pub threshold: f64,
}

/// Something about data.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// Entries that it is about.
    pub count: usize,
    /// Their numbers among the records of all files, in order; the first 10,000.
    pub entries: Vec<usize>,
    /// What about each of these, where it is not the same for all.
    pub details: Vec<String>,
    /// For what repeats something else: which, and how similar it is; the first 10,000.
    pub pairs: Vec<NearDuplicate>,
    /// What it is and what to do, as a sentence.
    pub message: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// Records in all.
    pub records: usize,
    /// The findings: what training refuses first.
    pub findings: Vec<Finding>,
    /// Whether near duplicates were searched by [`MinHash`](crate::MinHash), which misses some; none if not at all.
    pub by_min_hash: Option<bool>,
    /// Why they were not, although they were asked for.
    pub not_searched: Option<String>,
    /// The files, where there are several, with the number of each one's first record.
    pub files: Vec<(usize, Arc<str>)>,
}

impl Checked {
    /// Where a record stands, by its number among all.
    #[must_use]
    pub fn place(&self, number: usize) -> Place {
        let file = self.files.partition_point(|(first, _)| *first <= number).checked_sub(1).map(|at| &self.files[at]);
        Place {
            file: file.map(|(_, name)| name.clone()),
            index: number - file.map_or(0, |(first, _)| *first),
            line: None,
            nth: number,
        }
    }
}

/// What was found so far, by kind.
#[derive(Default)]
struct Tally {
    count: usize,
    entries: Vec<usize>,
    details: Vec<String>,
    pairs: Vec<NearDuplicate>,
}

impl Tally {
    fn add(&mut self, number: usize) {
        self.count += 1;
        if self.entries.len() < MOST {
            self.entries.push(number);
        }
    }

    fn pair(&mut self, first: usize, second: usize, similarity: f64) {
        if self.pairs.len() < MOST {
            self.pairs.push(NearDuplicate { first, second, similarity });
        }
    }
}

impl Check<'_> {
    /// Looks at all records; `progress` hears how many more were read.
    ///
    /// Data are read once, and for near duplicates of more than 50,000 records (or 32 MB of instructions) some more times.
    /// Memory is 24 bytes a record for what is exactly the same, 5 more for leaks, 8 more meanwhile where data are
    /// shuffled, and then what [`NearDuplicates`](crate::NearDuplicates) or [`MinHash`](crate::MinHash) take.
    ///
    /// # Errors
    ///
    /// If the data cannot be read, hold no record, or changed meanwhile, or the threshold is none.
    pub fn run(&self, records: &Records, progress: impl Fn(u64) + Sync) -> Result<Checked, DataError> {
        let origin = || records.origin().to_owned();
        let fault = |error: crate::DuplicateError<DataError>| match error {
            crate::DuplicateError::Source(error) => error,
            other => DataError::Duplicates { origin: origin(), problem: other.to_string() },
        };
        let is_near = self.threshold != 1.0;
        if is_near {
            check_threshold(self.threshold).map_err(fault)?;
        }
        let mut tallies: [Tally; FindingKind::ALL.len()] = std::array::from_fn(|_| Tally::default());
        let mut keys: Vec<Key> = Vec::new();
        let mut texts = is_near.then(Texts::new);
        let mut inputs = Vec::new();
        let (mut total, mut ends, mut files) = (0, false, Vec::<(usize, Arc<str>)>::new());
        let headers = Headers::new(self.encoder.template);
        let collator = self.collator();
        let mut examples = Examples::new(records.again(), self.shape.clone());
        loop {
            let wanted = texts.as_ref().is_some_and(Texts::wanted);
            let look = |example: Result<_, _>, shape: &Shape| {
                let facts = Facts::of(self, &collator, &headers, example, shape, wanted);
                progress(1);
                facts
            };
            let Some(chunk) = examples.next_chunk(look)? else { break };
            for Facts { place, kinds, key, teaches_end, text, input } in chunk {
                let number = total;
                total += 1;
                if let Some(file) = place.file
                    && files.last().is_none_or(|(_, last)| *last != file)
                {
                    files.push((number, file));
                }
                for (kind, detail) in kinds {
                    let tally = &mut tallies[kind as usize];
                    tally.add(number);
                    if let Some(detail) = detail.filter(|_| tally.details.len() < MOST) {
                        tally.details.push(detail);
                    }
                }
                if let Some((question, whole)) = key {
                    keys.push(Key { question, whole, number: u32::try_from(number).unwrap_or(u32::MAX) });
                }
                ends |= teaches_end;
                if let Some(texts) = &mut texts {
                    texts.push(text);
                    inputs.push(input);
                }
            }
        }
        if total == 0 {
            return Err(DataError::Empty { origin: origin() });
        }
        if !ends && !keys.is_empty() {
            for key in &keys {
                tallies[FindingKind::EndNeverTaught as usize].add(key.number as usize);
            }
        }
        let parts = Parts::new(total, self.split, self.split_seed);
        repeated::exact(&mut keys, &parts, &mut tallies);
        drop(keys);
        let (mut by_min_hash, mut not_searched) = (None, None);
        if let Some(texts) = texts {
            let found =
                Near::search(texts, records, self.shape.as_ref(), Compared::Instruction, self.threshold, |_| false);
            match found {
                Ok(near) => {
                    by_min_hash = Some(matches!(near, Near::Most(_)));
                    repeated::near(&near, &inputs, &parts, &mut tallies);
                }
                Err(crate::DuplicateError::Source(error)) => return Err(error),
                Err(error) => not_searched = Some(error.to_string()),
            }
        }
        let findings = FindingKind::ALL.into_iter().zip(tallies).filter(|(_, tally)| tally.count > 0);
        let findings = findings.map(|(kind, Tally { count, entries, details, pairs })| {
            let message = kind.message(count, self);
            Finding { kind, count, entries, details, pairs, message }
        });
        Ok(Checked { records: total, findings: findings.collect(), by_min_hash, not_searched, files })
    }

    fn collator(&self) -> Collator {
        let Lengths { max_length, mask_instructions, .. } = self.lengths;
        Collator::new(&self.encoder, None, max_length, mask_instructions)
    }
}

#[cfg(test)]
mod tests;
