//! Writes the pretraining text: every fact, many times, in many forms.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use super::SEED;
use super::english::{Lexicon, capitalise};
use super::facts::{Fact, Kind, World};
use super::instructions::{Deck, swap};
use super::rng::SplitMix64;
use super::stories::Stories;
use super::template::{fill, unmarked};

/// How often each fact is stated in documents that mix all kinds.
const STATEMENTS: usize = 12;
/// How many documents gather the facts about one word.
const TOPIC_DOCUMENTS: usize = 3;
/// A word with facts of fewer kinds than this gets no documents of its own.
const TOPIC_KINDS: usize = 3;
/// The most sentences in a paragraph of facts.
const LONGEST: usize = 8;
/// How many little stories are told.
const STORIES: usize = 3000;

/// Writes the whole corpus: one document per paragraph.
///
/// # Errors
///
/// Fails when a pattern in a word list is malformed.
pub fn write(world: &World) -> Result<String> {
    let mut rng = SplitMix64::named(SEED, "corpus");
    let mut statements = Vec::new();
    for kind in &world.kinds {
        for fact in &kind.facts {
            let told = state(kind, fact, STATEMENTS, &world.lexicon, &mut rng).with_context(|| fact.key.clone())?;
            statements.extend(told);
        }
    }
    rng.shuffle(&mut statements);
    let mut documents = paragraphs(&statements, &mut rng);
    documents.extend(topics(world, &mut rng)?);
    documents.extend(Stories::load()?.tell(STORIES, &world.lexicon, &mut rng)?);
    rng.shuffle(&mut documents);
    let mut text = documents.join("\n\n");
    text.push('\n');
    Ok(text)
}

/// States one fact `times` times, each form about equally often.
fn state(kind: &Kind, fact: &Fact, times: usize, lexicon: &Lexicon, rng: &mut SplitMix64) -> Result<Vec<String>> {
    let mut forms = Deck::new(kind.say.iter().collect());
    (0..times)
        .map(|_| {
            let mut fields = fact.fields.clone();
            if kind.symmetric && rng.percent(50) {
                swap(&mut fields, &kind.subject, &kind.answer);
            }
            let form: &String = forms.next(rng)?;
            Ok(capitalise(&fill(form, &fields, lexicon)?))
        })
        .collect()
}

/// Strings statements together into paragraphs of at least two statements and about
/// [`LONGEST`] sentences at most.
fn paragraphs(statements: &[String], rng: &mut SplitMix64) -> Vec<String> {
    let mut documents = Vec::new();
    let mut current: Vec<&str> = Vec::new();
    let (mut sentences, mut wanted) = (0, 4);
    for statement in statements {
        let more = count_sentences(statement);
        let full = sentences >= wanted || sentences + more > LONGEST;
        if full && current.len() >= 2 {
            documents.push(current.join(" "));
            current.clear();
            sentences = 0;
            wanted = 2 + rng.below(LONGEST - 2);
        }
        current.push(statement);
        sentences += more;
    }
    documents.push(current.join(" "));
    documents
}

/// Counts end marks that a space, a closing quote or the end of the text follows.
fn count_sentences(text: &str) -> usize {
    let ends = |pair: &[u8]| matches!(pair, [b'.' | b'?' | b'!', b' ' | b'\'']);
    text.as_bytes().windows(2).filter(|pair| ends(pair)).count() + usize::from(text.ends_with(['.', '?', '!']))
}

/// Paragraphs that stay with one word: what a dog is, says, and is called when
/// it is young.
fn topics(world: &World, rng: &mut SplitMix64) -> Result<Vec<String>> {
    let mut by_word: BTreeMap<&str, Vec<(&Kind, &Fact)>> = BTreeMap::new();
    for kind in &world.kinds {
        for fact in &kind.facts {
            let subject = fact.fields.get(&kind.subject).context("no subject")?;
            by_word.entry(topic(subject)).or_default().push((kind, fact));
        }
    }
    let mut documents = Vec::new();
    for facts in by_word.values_mut() {
        let kinds: BTreeSet<&str> = facts.iter().map(|(kind, _)| kind.name.as_str()).collect();
        if kinds.len() < TOPIC_KINDS {
            continue;
        }
        for _ in 0..TOPIC_DOCUMENTS {
            rng.shuffle(facts);
            let mut told = Vec::new();
            let mut sentences = 0;
            for (kind, fact) in facts.iter() {
                for statement in state(kind, fact, 1, &world.lexicon, rng)? {
                    sentences += count_sentences(&statement);
                    if sentences <= LONGEST {
                        told.push(statement);
                    }
                }
            }
            documents.push(told.join(" "));
        }
    }
    Ok(documents)
}

/// The noun of a subject, without marker and article.
fn topic(subject: &str) -> &str {
    let subject = unmarked(subject);
    ["a ", "an ", "the "].iter().find_map(|article| subject.strip_prefix(article)).unwrap_or(subject)
}
