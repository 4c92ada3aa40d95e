//! Loads the word lists into typed facts.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::derive::derive;
use super::english::Lexicon;
use super::template::{Fields, fill, unmarked};

macro_rules! word_lists {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../words/", $name, ".toml")))),*]
    };
}

/// One file for each kind of fact, in the order in which kinds are reported.
const KINDS: [(&str, &str); 19] = word_lists![
    "opposite",
    "plural",
    "past_tense",
    "comparative",
    "category",
    "capital",
    "colour",
    "job",
    "tool",
    "animal_young",
    "passive",
    "question_form",
    "negation",
    "sentence_past",
    "grammar",
    "pronoun",
    "punctuation",
    "joining",
    "reading",
];

/// Alternatives that rows share, by name; see `words/sets.toml`.
type Sets = BTreeMap<String, String>;

/// One kind of task: its facts and the ways to ask for and to state them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// The name that examples carry.
    pub name: String,
    /// How many instruction examples to draw.
    pub count: usize,
    /// The columns of `rows`.
    fields: Vec<String>,
    /// The fields that together name a fact group, whatever their order.
    key: Vec<String>,
    /// The field that a question gives.
    pub subject: String,
    /// The field that its answer must contain.
    pub answer: String,
    /// Whether `subject` and `answer` may change places.
    #[serde(default)]
    pub symmetric: bool,
    /// Values that are no fair subject of a symmetric question, because they
    /// have a second answer: "light" is the opposite of "heavy" and of "dark".
    #[serde(default)]
    pub ambiguous: Vec<String>,
    /// A rule that computes further fields.
    derive: Option<String>,
    /// The field for which a question may offer a wrong alternative.
    pub choice: Option<String>,
    /// Patterns for an example: instruction, input, output.
    pub ask: Vec<[String; 3]>,
    /// The answer as a sentence.
    long: String,
    /// The answer as a bare word, for a kind that has one.
    pub short: Option<String>,
    /// What a task with an input is about.
    item: String,
    /// How many statements the corpus makes about this kind.
    pub statements: usize,
    /// Patterns for a statement in the corpus.
    pub say: Vec<String>,
    /// Questions that people ask in the corpus.
    pub questions: Vec<String>,
    /// What people have to do in the corpus, after the word "to".
    pub tasks: Vec<String>,
    /// The same without the object, which the corpus gives apart from it.
    pub given: Vec<String>,
    /// Rows separated by commas or line ends, columns by `|`; a column may
    /// list alternatives separated by `;`, which are multiplied out. `@name`
    /// stands for the alternatives of a set.
    rows: String,
    /// The facts that `rows` stands for.
    #[serde(skip)]
    pub facts: Vec<Fact>,
}

/// One fact of a kind.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Names the fact group within the whole world; see [`Kind::key`].
    pub key: String,
    /// The values for the kind's patterns.
    pub fields: Fields,
}

/// Everything that the generators know.
#[derive(Debug, Clone)]
pub struct World {
    /// All kinds, each with its facts.
    pub kinds: Vec<Kind>,
    /// Irregular English.
    pub lexicon: Lexicon,
}

impl World {
    /// Loads the word lists that are compiled into the program.
    ///
    /// # Errors
    ///
    /// Fails when a list is malformed or states a fact twice.
    pub fn load() -> Result<Self> {
        let lexicon = Lexicon::parse(include_str!("../../words/irregular.toml"))?;
        let sets: Sets = toml::from_str(include_str!("../../words/sets.toml")).context("words/sets.toml")?;
        let kinds = KINDS
            .iter()
            .map(|(name, text)| Kind::parse(text, &sets, &lexicon).with_context(|| format!("words/{name}.toml")))
            .collect::<Result<_>>()?;
        Ok(Self { kinds, lexicon })
    }
}

impl Kind {
    fn parse(text: &str, sets: &Sets, lexicon: &Lexicon) -> Result<Self> {
        let mut kind: Self = toml::from_str(text)?;
        for row in kind.rows.split([',', '\n']).map(str::trim) {
            if !row.is_empty() {
                let facts = kind.expand(row, sets, lexicon).with_context(|| format!("row {row:?}"))?;
                kind.facts.extend(facts);
            }
        }
        kind.reject_repeats()?;
        let groups: BTreeSet<_> = kind.facts.iter().map(|fact| &fact.key).collect();
        ensure!(groups.len() >= kind.count, "{} fact groups for {} examples", groups.len(), kind.count);
        Ok(kind)
    }

    /// Multiplies out the alternatives of one row.
    fn expand(&self, row: &str, sets: &Sets, lexicon: &Lexicon) -> Result<Vec<Fact>> {
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        ensure!(columns.len() == self.fields.len(), "{} columns instead of {}", columns.len(), self.fields.len());
        let mut combinations = vec![Fields::new()];
        for (name, column) in self.fields.iter().zip(columns) {
            let values = alternatives(column, sets)?;
            combinations = combinations
                .iter()
                .flat_map(|fields| {
                    values.iter().map(|value| {
                        let mut fields = fields.clone();
                        fields.insert(name.clone(), (*value).to_owned());
                        fields
                    })
                })
                .collect();
        }
        combinations
            .into_iter()
            .map(|mut fields| {
                if let Some(rule) = &self.derive {
                    derive(rule, &mut fields, lexicon)?;
                }
                Ok(Fact { key: self.group(&fields)?, fields })
            })
            .collect()
    }

    /// The name of a fact's group: sorted, because "the opposite of hot" and
    /// "the opposite of cold" are one fact.
    fn group(&self, fields: &Fields) -> Result<String> {
        let mut parts = self
            .key
            .iter()
            .map(|name| fields.get(name).map(|value| unmarked(value)))
            .collect::<Option<Vec<_>>>()
            .context("the key names an unknown field")?;
        parts.sort_unstable();
        Ok(format!("{}: {}", self.name, parts.join(" / ")))
    }

    /// Adds the answers and the input as `LONG`, `SHORT` and `ITEM`.
    ///
    /// # Errors
    ///
    /// Fails when a pattern is malformed.
    pub fn add_answers(&self, fields: &mut Fields, lexicon: &Lexicon) -> Result<()> {
        let mut filled =
            vec![("LONG", fill(&self.long, fields, lexicon)?), ("ITEM", fill(&self.item, fields, lexicon)?)];
        if let Some(short) = &self.short {
            filled.push(("SHORT", fill(short, fields, lexicon)?));
        }
        fields.extend(filled.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Ok(())
    }

    /// A subject with two answers would make its question ambiguous.
    fn reject_repeats(&self) -> Result<()> {
        let mut seen = BTreeMap::new();
        for fact in &self.facts {
            let mut names = vec![&self.subject];
            if self.symmetric {
                names.push(&self.answer);
            }
            for name in names {
                let value = fact.fields.get(name).context("no such field")?;
                let earlier = seen.insert(unmarked(value), &fact.key);
                ensure!(earlier.is_none(), "{value:?} occurs twice");
            }
        }
        Ok(())
    }
}

/// The alternatives of a column, those of its sets included.
fn alternatives<'a>(column: &'a str, sets: &'a Sets) -> Result<Vec<&'a str>> {
    let mut values = Vec::new();
    for value in column.split(';').map(str::trim) {
        match value.strip_prefix('@') {
            Some(name) => values.extend(sets.get(name).with_context(|| format!("no set {name:?}"))?.split(';')),
            None => values.push(value),
        }
    }
    Ok(values)
}
