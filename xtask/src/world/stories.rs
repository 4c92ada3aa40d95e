//! Little stories, so that the corpus is not facts alone.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::english::{Lexicon, capitalise};
use super::instructions::Deck;
use super::rng::SplitMix64;
use super::template::{Fields, fill};

/// Story patterns and the words for their gaps.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stories {
    girls: String,
    boys: String,
    /// Comma-separated words by gap; a second different word is `<gap>2`.
    words: BTreeMap<String, String>,
    patterns: Vec<String>,
}

impl Stories {
    /// Reads the patterns that are compiled into the program.
    ///
    /// # Errors
    ///
    /// Fails when the file is malformed.
    pub fn load() -> Result<Self> {
        toml::from_str(include_str!("../../words/stories.toml")).context("words/stories.toml")
    }

    /// Tells `count` stories.
    ///
    /// # Errors
    ///
    /// Fails when a pattern names an unknown gap.
    pub fn tell(&self, count: usize, lexicon: &Lexicon, rng: &mut SplitMix64) -> Result<Vec<String>> {
        let mut patterns = Deck::new(self.patterns.iter().collect());
        (0..count)
            .map(|_| {
                let pattern: &String = patterns.next(rng)?;
                Ok(capitalise(&fill(pattern, &self.cast(rng)?, lexicon)?))
            })
            .collect()
    }

    /// Picks two people: their names and the words that stand for them.
    pub fn people(&self, rng: &mut SplitMix64) -> Fields {
        let mut fields = Fields::new();
        let mut names = [split(&self.girls), split(&self.boys)];
        for suffix in ["", "2"] {
            let boy = rng.below(2);
            let pool = &mut names[boy];
            let name = pool.swap_remove(rng.below(pool.len()));
            let pronouns = [["she", "her", "her", "girl"], ["he", "him", "his", "boy"]][boy];
            for (gap, word) in ["he", "him", "his", "boy"].iter().zip(pronouns) {
                fields.insert(format!("{gap}{suffix}"), word.to_owned());
            }
            fields.insert(format!("name{suffix}"), name.to_owned());
        }
        fields
    }

    /// Picks two people and two words for every gap.
    fn cast(&self, rng: &mut SplitMix64) -> Result<Fields> {
        let mut fields = self.people(rng);
        for (gap, words) in &self.words {
            let mut pool = split(words);
            for suffix in ["", "2"] {
                let at = rng.below(pool.len());
                let word = (at < pool.len())
                    .then(|| pool.swap_remove(at))
                    .with_context(|| format!("too few words for {gap:?}"))?;
                fields.insert(format!("{gap}{suffix}"), word.to_owned());
            }
        }
        Ok(fields)
    }
}

fn split(list: &str) -> Vec<&str> {
    list.split([',', '\n']).map(str::trim).filter(|word| !word.is_empty()).collect()
}
