//! Draws the instruction examples and splits them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};

use super::english::capitalise;
use super::facts::{Fact, Kind, World};
use super::rng::SplitMix64;
use super::template::{Fields, fill, unmarked};
use super::{Example, SEED, Source, TEST, TRAIN, VALIDATION};

/// How many in a hundred examples carry everything in the instruction and leave
/// the input empty; about the share in the data that the book uses.
const EMPTY_INPUT_PERCENT: usize = 60;

/// Draws every kind's examples and lays them out as train, test, validation.
///
/// # Errors
///
/// Fails when a pattern in a word list is malformed.
pub fn draw(world: &World) -> Result<Vec<Example>> {
    let mut parts = [Vec::new(), Vec::new(), Vec::new()];
    for kind in &world.kinds {
        let mut examples = draw_kind(world, kind).with_context(|| kind.name.clone())?;
        // Counts are multiples of 20, so that 85, 10 and 5 per cent come out whole.
        ensure!(kind.count.is_multiple_of(20), "{}: the count is not a multiple of 20", kind.name);
        let validation = examples.split_off(kind.count / 20 * 19);
        let test = examples.split_off(kind.count / 20 * 17);
        for (part, drawn) in parts.iter_mut().zip([examples, test, validation]) {
            part.extend(drawn);
        }
    }
    let mut rng = SplitMix64::named(SEED, "split");
    for part in &mut parts {
        rng.shuffle(part);
    }
    Ok(parts.into_iter().flatten().collect())
}

/// One example for each of `kind.count` fact groups, in random order.
fn draw_kind(world: &World, kind: &Kind) -> Result<Vec<Example>> {
    let mut rng = SplitMix64::named(SEED, &kind.name);
    let mut facts: Vec<&Fact> = kind.facts.iter().collect();
    rng.shuffle(&mut facts);
    let mut groups = BTreeSet::new();
    facts.retain(|fact| groups.insert(&fact.key));
    facts.truncate(kind.count);

    let (alone, with_input): (Vec<_>, Vec<_>) = kind.ask.iter().partition(|[_, input, _]| input.is_empty());
    ensure!(
        kind.ask.len() >= 8 && !alone.is_empty() && !with_input.is_empty(),
        "needs eight phrasings, with and without an input"
    );
    // Walking each list in a shuffled cycle uses all phrasings equally often.
    let mut decks = [Deck::new(alone), Deck::new(with_input)];
    let mut examples = Vec::with_capacity(facts.len());
    for fact in facts {
        let deck = usize::from(!rng.percent(EMPTY_INPUT_PERCENT));
        let [instruction, input, output] = decks[deck].next(&mut rng)?;
        let mut fields = fields_for_asking(kind, fact, &mut rng)?;
        kind.add_answers(&mut fields, &world.lexicon)?;
        let text = |pattern: &str| fill(pattern, &fields, &world.lexicon);
        examples.push(Example {
            instruction: capitalise(&text(instruction)?),
            input: text(input)?,
            output: text(output)?,
            kind: kind.name.clone(),
            source: Source {
                fact: fact.key.clone(),
                subject: text(&format!("{{{}}}", kind.subject))?,
                answer: text(&format!("{{{}}}", kind.answer))?,
            },
        });
    }
    Ok(examples)
}

/// Adds what only a question needs: a random direction for a symmetric fact,
/// and the alternatives of a multiple choice.
fn fields_for_asking(kind: &Kind, fact: &Fact, rng: &mut SplitMix64) -> Result<Fields> {
    let mut fields = fact.fields.clone();
    if kind.symmetric {
        let subject_is_fair =
            |fields: &Fields| fields.get(&kind.subject).is_some_and(|value| !kind.ambiguous.contains(value));
        if rng.percent(50) {
            swap(&mut fields, &kind.subject, &kind.answer);
        }
        if !subject_is_fair(&fields) {
            swap(&mut fields, &kind.subject, &kind.answer);
        }
        ensure!(subject_is_fair(&fields), "both sides of {} are ambiguous", fact.key);
    }
    add_choice(kind, &mut fields, rng)?;
    Ok(fields)
}

/// For a kind with a choice, adds the wrong answer, `other`, and both in random
/// order as `first` and `second`.
///
/// # Errors
///
/// Fails when there is nothing to choose from.
pub fn add_choice(kind: &Kind, fields: &mut Fields, rng: &mut SplitMix64) -> Result<()> {
    if let Some(name) = &kind.choice {
        let right = fields.get(name).context("no such choice field")?.clone();
        let wrong: BTreeSet<&String> = kind
            .facts
            .iter()
            .filter_map(|fact| fact.fields.get(name))
            .filter(|value| unmarked(value) != unmarked(&right))
            .collect();
        let wrong: Vec<&String> = wrong.into_iter().collect();
        let other = (*rng.pick(&wrong).context("nothing to choose from")?).clone();
        let (first, second) = if rng.percent(50) { (right, other.clone()) } else { (other.clone(), right) };
        fields.extend([("other".to_owned(), other), ("first".to_owned(), first), ("second".to_owned(), second)]);
    }
    Ok(())
}

/// Exchanges the values of two fields.
pub fn swap(fields: &mut Fields, left: &str, right: &str) {
    let (a, b) = (fields.remove(left), fields.remove(right));
    fields.extend(b.map(|value| (left.to_owned(), value)));
    fields.extend(a.map(|value| (right.to_owned(), value)));
}

/// Deals its items in random order and reshuffles when they run out.
#[derive(Debug)]
pub struct Deck<T> {
    items: Vec<T>,
    next: usize,
}

impl<T: Copy> Deck<T> {
    /// A deck that will be shuffled before its first deal.
    pub fn new(items: Vec<T>) -> Self {
        let next = items.len();
        Self { items, next }
    }

    /// Deals one item.
    ///
    /// # Errors
    ///
    /// Fails when the deck has no items.
    pub fn next(&mut self, rng: &mut SplitMix64) -> Result<T> {
        if self.next >= self.items.len() {
            rng.shuffle(&mut self.items);
            self.next = 0;
        }
        let item = self.items.get(self.next).copied().context("an empty deck")?;
        self.next += 1;
        Ok(item)
    }
}

/// Checks what the rest of the project relies on; see [`super::check`].
pub fn check(examples: &[Example]) -> Result<()> {
    ensure!(examples.len() == TRAIN + TEST + VALIDATION, "{} examples", examples.len());
    let mut prompts = BTreeMap::new();
    let mut facts = BTreeSet::new();
    for example in examples {
        ensure!(!example.instruction.is_empty(), "an empty instruction");
        ensure!(!example.output.is_empty(), "{:?} has no output", example.instruction);
        let prompt = normalise(&format!("{} {}", example.instruction, example.input));
        if let Some(earlier) = prompts.insert(prompt, &example.instruction) {
            bail!("asked twice: {earlier:?} and {:?}", example.instruction);
        }
        // Examples read back from JSON do not say which fact they ask about.
        let fact = &example.source.fact;
        ensure!(fact.is_empty() || facts.insert(fact), "asked twice: the fact {fact:?}");
    }
    let kinds_of = |part: &[Example]| -> BTreeSet<String> { part.iter().map(|example| example.kind.clone()).collect() };
    let all = kinds_of(examples);
    ensure!(all.len() >= 14, "only {} kinds", all.len());
    let (train, rest) = examples.split_at(TRAIN);
    let (test, validation) = rest.split_at(TEST);
    for (name, part) in [("train", train), ("test", test), ("validation", validation)] {
        let missing: Vec<_> = all.difference(&kinds_of(part)).cloned().collect();
        ensure!(missing.is_empty(), "{name} lacks {missing:?}");
    }
    Ok(())
}

/// Lower case, letters and digits only, single spaces.
///
/// Signs between numbers survive, or "7 + 2" would equal "7 - 2".
fn normalise(text: &str) -> String {
    text.to_lowercase()
        .split_whitespace()
        .map(|word| {
            let plain: String = word.chars().filter(|c| c.is_alphanumeric()).collect();
            if plain.is_empty() { word.to_owned() } else { plain }
        })
        .collect::<Vec<_>>()
        .join(" ")
}
