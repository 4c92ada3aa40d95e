//! What is found by comparing records.

use rayon::prelude::*;

use crate::{Fractions, Split, repeats::Near};

use super::{FindingKind, Tally};

/// Digests of a record's question and of all of it, and its number.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub question: u64,
    pub whole: u64,
    pub number: u32,
}

/// Which records are trained on.
pub(super) struct Parts {
    is_trained: Vec<bool>,
}

impl Parts {
    /// The parts of so many records, as training has them.
    pub fn new(total: usize, fractions: Fractions, seed: u32) -> Self {
        let train = Split::with(total, fractions).train;
        let mut is_trained = vec![false; total];
        match Split::order(total, seed) {
            None => is_trained[train].fill(true),
            Some(order) => order[train].iter().for_each(|&number| is_trained[number] = true),
        }
        Self { is_trained }
    }

    fn is_trained(&self, number: usize) -> bool {
        self.is_trained[number]
    }
}

type Tallies = [Tally; FindingKind::ALL.len()];

/// Finds what is exactly the same.
pub(super) fn exact(keys: &mut [Key], parts: &Parts, tallies: &mut Tallies) {
    keys.par_sort_unstable_by_key(|key| (key.question, key.whole, key.number));
    let mut duplicates: Vec<(usize, usize)> = Vec::new();
    let mut others = Vec::new();
    let mut leaks = Vec::new();
    for same in keys.chunk_by(|a, b| a.question == b.question) {
        if same.len() == 1 {
            continue;
        }
        let numbers = || same.iter().map(|key| key.number as usize);
        let first = numbers().min().unwrap_or(0);
        for equal in same.chunk_by(|a, b| a.whole == b.whole) {
            let first_equal = equal[0].number as usize;
            duplicates.extend(equal[1..].iter().map(|key| (first_equal, key.number as usize)));
            if first_equal != first {
                others.push((first, first_equal));
            }
        }
        if let Some(trained) = numbers().filter(|number| parts.is_trained(*number)).min() {
            leaks.extend(numbers().filter(|number| !parts.is_trained(*number)).map(|number| (trained, number)));
        }
    }
    let kinds = [FindingKind::Duplicate, FindingKind::DifferentAnswer, FindingKind::Leak];
    for (kind, mut pairs) in kinds.into_iter().zip([duplicates, others, leaks]) {
        pairs.sort_unstable_by_key(|pair| pair.1);
        let tally = &mut tallies[kind as usize];
        for (first, second) in pairs {
            tally.add(second);
            tally.pair(first, second, 1.0);
        }
    }
}

/// Finds what is nearly the same. Leaks that are exact are none of these, and neither are instructions that are given
/// again with another of the `inputs`, of which there are digests.
pub(super) fn near(near: &Near, inputs: &[u32], parts: &Parts, tallies: &mut Tallies) {
    let mut exact = vec![false; parts.is_trained.len()];
    let leaked = &tallies[FindingKind::Leak as usize].pairs;
    for pair in leaked {
        exact[pair.second] = true;
    }
    let mut later = vec![false; parts.is_trained.len()];
    let mut leaks = later.clone();
    for pair in near.pairs() {
        later[pair.second] = true;
        tallies[FindingKind::NearDuplicate as usize].pair(pair.first, pair.second, pair.similarity);
        let (trained, asked) = match (parts.is_trained(pair.first), parts.is_trained(pair.second)) {
            (true, false) => (pair.first, pair.second),
            (false, true) => (pair.second, pair.first),
            _ => continue,
        };
        if !exact[asked] && inputs[asked] == inputs[trained] {
            leaks[asked] = true;
            tallies[FindingKind::NearLeak as usize].pair(trained, asked, pair.similarity);
        }
    }
    for (kind, found) in [(FindingKind::NearDuplicate, later), (FindingKind::NearLeak, leaks)] {
        let numbers = (0..found.len()).filter(|number| found[*number]);
        for number in numbers {
            tallies[kind as usize].add(number);
        }
    }
}
