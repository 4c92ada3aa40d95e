//! How the people of the corpus ask, answer and do exercises: prose around the
//! questions, tasks and answers of a kind.

use anyhow::{Context, Result};
use serde::Deserialize;

use super::english::{Lexicon, capitalise};
use super::facts::{Fact, Kind};
use super::instructions::{add_choice, swap};
use super::rng::SplitMix64;
use super::stories::Stories;
use super::template::fill;

/// How many in a hundred statements are bare facts, questions, tasks and tasks
/// with an input; the rest repeats a word or a sentence.
const SHARES: [usize; 4] = [28, 24, 20, 22];
/// How many in a hundred answers are bare words, where a kind has them.
const SHORT_PERCENT: usize = 40;

/// The patterns of `words/talk.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Talk {
    question_long: Vec<String>,
    question_short: Vec<String>,
    task_long: Vec<String>,
    task_short: Vec<String>,
    given_long: Vec<String>,
    given_short: Vec<String>,
    echo: Vec<String>,
    /// Sentences that end a paragraph.
    pub closing: Vec<String>,
}

impl Talk {
    /// Reads the patterns that are compiled into the program.
    ///
    /// # Errors
    ///
    /// Fails when the file is malformed.
    pub fn load() -> Result<Self> {
        toml::from_str(include_str!("../../words/talk.toml")).context("words/talk.toml")
    }

    /// States a fact in one of the many ways.
    ///
    /// # Errors
    ///
    /// Fails when a pattern is malformed.
    pub fn state(
        &self,
        kind: &Kind,
        fact: &Fact,
        stories: &Stories,
        lexicon: &Lexicon,
        rng: &mut SplitMix64,
    ) -> Result<String> {
        let mut fields = fact.fields.clone();
        if kind.symmetric && rng.percent(50) {
            swap(&mut fields, &kind.subject, &kind.answer);
        }
        add_choice(kind, &mut fields, rng)?;
        kind.add_answers(&mut fields, lexicon)?;
        fields.extend(stories.people(rng));
        let br = if rng.percent(50) { "\n" } else { " " };
        fields.insert("br".to_owned(), br.to_owned());

        let short = kind.short.is_some() && rng.percent(SHORT_PERCENT);
        let mut roll = rng.below(100);
        let mut way = 0;
        while way < SHARES.len() && roll >= SHARES[way] {
            roll -= SHARES[way];
            way += 1;
        }
        let (gap, inner, outer) = match (way, short) {
            (0, _) => return Ok(capitalise(&fill(pick(&kind.say, rng)?, &fields, lexicon)?)),
            (1, false) => ("QUESTION", &kind.questions, &self.question_long),
            (1, true) => ("QUESTION", &kind.questions, &self.question_short),
            (2, false) => ("TASK", &kind.tasks, &self.task_long),
            (2, true) => ("TASK", &kind.tasks, &self.task_short),
            (3, false) => ("GIVEN", &kind.given, &self.given_long),
            (3, true) => ("GIVEN", &kind.given, &self.given_short),
            _ => return Ok(capitalise(&fill(pick(&self.echo, rng)?, &fields, lexicon)?)),
        };
        let text = fill(pick(inner, rng)?, &fields, lexicon)?;
        fields.insert(gap.to_owned(), text);
        Ok(capitalise(&fill(pick(outer, rng)?, &fields, lexicon)?))
    }
}

fn pick<'a>(patterns: &'a [String], rng: &mut SplitMix64) -> Result<&'a str> {
    rng.pick(patterns).map(String::as_str).context("no patterns")
}
