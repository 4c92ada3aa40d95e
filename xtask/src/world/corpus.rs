//! Writes the pretraining text: every fact, many times, in many forms.

use anyhow::{Context, Result};

use super::SEED;
use super::facts::World;
use super::instructions::Deck;
use super::rng::SplitMix64;
use super::stories::Stories;
use super::talk::Talk;

/// The most statements in a paragraph.
const LONGEST: usize = 5;
/// How many little stories are told.
const STORIES: usize = 6000;

/// Writes the corpus, one document per paragraph; `share` is the part of its
/// length that is wanted: 1 is all of it, 10 a tenth.
///
/// # Errors
///
/// Fails when a pattern in a word list is malformed.
pub fn write(world: &World, share: usize) -> Result<String> {
    let mut rng = SplitMix64::named(SEED, "corpus");
    let (talk, stories) = (Talk::load()?, Stories::load()?);
    let mut statements = Vec::new();
    for kind in &world.kinds {
        // A deck states all facts equally often.
        let mut facts = Deck::new(kind.facts.iter().collect());
        for _ in 0..kind.statements / share {
            let fact = facts.next(&mut rng)?;
            let told = talk.state(kind, fact, &stories, &world.lexicon, &mut rng);
            statements.push(told.with_context(|| fact.key.clone())?);
        }
    }
    rng.shuffle(&mut statements);
    let mut documents = paragraphs(&statements, &talk.closing, &mut rng);
    documents.extend(stories.tell(STORIES / share, &world.lexicon, &mut rng)?);
    rng.shuffle(&mut documents);
    let mut text = documents.join("\n\n");
    text.push('\n');
    Ok(text)
}

/// Strings statements together into paragraphs, some of them with a line for each statement. A
/// closing sentence ends each.
fn paragraphs(statements: &[String], closing: &[String], rng: &mut SplitMix64) -> Vec<String> {
    let mut documents = Vec::new();
    let mut rest = statements;
    while !rest.is_empty() {
        let (now, later) = rest.split_at((1 + rng.below(LONGEST)).min(rest.len()));
        let now: Vec<&str> = now.iter().chain(rng.pick(closing)).map(String::as_str).collect();
        documents.push(now.join(if rng.percent(50) { " " } else { "\n" }));
        rest = later;
    }
    documents
}
