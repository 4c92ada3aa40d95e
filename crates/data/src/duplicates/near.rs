//! All near duplicates among texts in memory.

use std::collections::HashMap;

use ahash::RandomState;

use super::{
    DuplicateError, NearDuplicate, all_pairs, check_threshold,
    grams::{bare, is_compared},
    stream::MOST,
    vectors::Vectors,
};

/// All pairs of texts that are more similar than a threshold; none is missed.
///
/// Texts that differ in nothing but capitals, punctuation and white space are looked up once, and their pairs are made
/// when somebody asks for them. So a thousand equal texts cost no more than one.
///
/// Memory while it searches: 2 KB for each text that differs and about 12 bytes for each of its characters, and 48 bytes
/// for each pair of these. Time grows with the square of their number: some ten thousand take seconds.
#[derive(Debug)]
pub struct NearDuplicates {
    /// Numbers of texts that are the same when compared; groups are in the order of their first one.
    groups: Vec<Vec<u32>>,
    /// Which group a text is in, for those in any.
    group_of: Vec<Option<u32>>,
    /// Other groups that a group is similar to, in order.
    near: Vec<Vec<(u32, f64)>>,
}

impl NearDuplicates {
    /// Searches all pairs that are more similar than `threshold`, which is above 0 and below 1: 0.9 in the book's program.
    ///
    /// As in the book, empty texts take no part, texts of one character count for how rare an n-gram is but are in no
    /// pair, and a text of nothing but punctuation is similar to none. `progress` hears how many more texts are done;
    /// it is called by several threads.
    ///
    /// # Errors
    ///
    /// For a threshold out of range, more than 4,294,967,294 texts, and more than `most` pairs of texts that differ.
    pub fn search(
        texts: &[&str],
        threshold: f64,
        most: u64,
        progress: impl Fn(u64) + Sync,
    ) -> Result<Self, DuplicateError> {
        check_threshold(threshold)?;
        if texts.len() > MOST {
            return Err(DuplicateError::TooLong);
        }
        let Distinct { texts: distinct, times, groups, group_of } = Distinct::new(texts);
        let alone = group_of.iter().filter(|group| group.is_none()).count();
        progress(alone as u64);

        let vectors = Vectors::new(&distinct, &times);
        let later = all_pairs::search(&vectors, threshold, most, |group| progress(groups[group].len() as u64))
            .ok_or(DuplicateError::TooMany { most, threshold })?;
        let mut near = vec![Vec::new(); later.len()];
        for (group, found) in (0..).zip(&later) {
            near[group as usize].extend(found);
            for &(other, similarity) in found {
                near[other as usize].push((group, similarity));
            }
        }
        Ok(Self { groups, group_of, near })
    }

    /// How many pairs there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        let of = |group: &Vec<u32>| group.len() as u64;
        let within: u64 = self.groups.iter().map(|group| of(group) * of(group).saturating_sub(1) / 2).sum();
        let between = self.groups.iter().zip(&self.near).map(|(group, near)| {
            near.iter().map(|(other, _)| of(group) * of(&self.groups[*other as usize])).sum::<u64>()
        });
        // Each pair of groups is in both lists.
        within + between.sum::<u64>() / 2
    }

    /// The pairs, in the order of their first and then of their second text.
    pub fn iter(&self) -> impl Iterator<Item = NearDuplicate> {
        (0..self.group_of.len()).flat_map(|first| {
            let mut pairs: Vec<_> = self
                .near_of(first)
                .flat_map(|(group, similarity)| {
                    let group = &self.groups[group as usize];
                    let later = group.partition_point(|text| *text as usize <= first);
                    group[later..].iter().map(move |text| NearDuplicate { first, second: *text as usize, similarity })
                })
                .collect();
            pairs.sort_unstable_by_key(|pair| pair.second);
            pairs
        })
    }

    /// The texts that are the second of a pair, in order: without them, no two are nearly the same.
    pub fn seconds(&self) -> impl Iterator<Item = usize> {
        (0..self.group_of.len()).filter(|text| {
            self.near_of(*text)
                .any(|(group, _)| self.groups[group as usize].first().is_some_and(|n| (*n as usize) < *text))
        })
    }

    /// The groups that a text is similar to, its own first.
    fn near_of(&self, text: usize) -> impl Iterator<Item = (u32, f64)> {
        self.group_of[text]
            .into_iter()
            .flat_map(|own| std::iter::once((own, 1.0)).chain(self.near[own as usize].iter().copied()))
    }
}

/// Texts that differ when compared.
struct Distinct<'a> {
    /// One of each kind.
    texts: Vec<&'a str>,
    /// How many there are of it.
    times: Vec<u32>,
    /// The numbers of those that can be in a pair.
    groups: Vec<Vec<u32>>,
    /// By the number of a text.
    group_of: Vec<Option<u32>>,
}

impl<'a> Distinct<'a> {
    fn new(texts: &[&'a str]) -> Self {
        let mut kinds: HashMap<String, u32, RandomState> = HashMap::default();
        let mut distinct = Self { texts: vec![], times: vec![], groups: vec![], group_of: vec![None; texts.len()] };
        let mut chars = Vec::new();
        for (text, number) in texts.iter().zip(0_u32..) {
            if text.is_empty() {
                continue;
            }
            bare(text, &mut chars);
            let new = u32::try_from(distinct.texts.len()).unwrap_or(u32::MAX);
            let group = *kinds.entry(chars.iter().collect()).or_insert(new);
            if group == new {
                distinct.texts.push(text);
                distinct.times.push(0);
                distinct.groups.push(vec![]);
            }
            distinct.times[group as usize] += 1;
            // Nothing is left of some, and they are similar to nothing.
            if is_compared(text) && !chars.is_empty() {
                distinct.groups[group as usize].push(number);
                distinct.group_of[number as usize] = Some(group);
            }
        }
        distinct
    }
}
