//! Just enough English: articles, plurals, verb forms and capitals.
//!
//! Regular forms follow spelling rules; everything irregular, including
//! consonant doubling, is listed in `words/irregular.toml`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;

/// Irregular forms, keyed by the base form.
#[derive(Debug, Clone)]
pub struct Lexicon {
    plurals: BTreeMap<String, String>,
    pasts: BTreeMap<String, String>,
    vowel_sounds: Vec<String>,
    consonant_sounds: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LexiconFile {
    plurals: String,
    pasts: String,
    vowel_sounds: Vec<String>,
    consonant_sounds: Vec<String>,
}

impl Lexicon {
    /// Reads the irregular forms from TOML text.
    ///
    /// # Errors
    ///
    /// Fails when the text is not valid TOML or a pair has no `|`.
    pub fn parse(text: &str) -> Result<Self> {
        let file: LexiconFile = toml::from_str(text).context("irregular.toml")?;
        Ok(Self {
            plurals: pairs(&file.plurals)?,
            pasts: pairs(&file.pasts)?,
            vowel_sounds: file.vowel_sounds,
            consonant_sounds: file.consonant_sounds,
        })
    }

    /// Puts "a" or "an" in front of `noun`, by sound rather than by letter.
    pub fn with_article(&self, noun: &str) -> String {
        let starts = |list: &[String]| list.iter().any(|stem| noun.starts_with(stem.as_str()));
        let vowel = if starts(&self.vowel_sounds) {
            true
        } else if starts(&self.consonant_sounds) {
            false
        } else {
            noun.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U'])
        };
        format!("{} {noun}", if vowel { "an" } else { "a" })
    }

    /// The plural of a noun.
    pub fn plural(&self, noun: &str) -> String {
        self.plurals.get(noun).cloned().unwrap_or_else(|| add_s(noun))
    }

    /// The simple past of a verb; only the first word of a phrase changes.
    pub fn past(&self, verb: &str) -> String {
        let (head, tail) = split_head(verb);
        let past = self.pasts.get(head).cloned().unwrap_or_else(|| regular_past(head));
        format!("{past}{tail}")
    }
}

/// The present of a verb after "he", "she" or "it"; only the first word of a
/// phrase changes.
pub fn third_person(verb: &str) -> String {
    let (head, tail) = split_head(verb);
    let form = match head {
        "be" => "is".to_owned(),
        "have" => "has".to_owned(),
        "do" => "does".to_owned(),
        "go" => "goes".to_owned(),
        _ => add_s(head),
    };
    format!("{form}{tail}")
}

/// Makes the first letter upper case.
pub fn capitalise(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Makes the first letter lower case.
pub fn uncapitalise(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// Makes the first letter of a sentence lower case, unless its first word is a
/// name and keeps its capital anywhere.
pub fn uncapitalise_opening(sentence: &str) -> String {
    const OPENINGS: [&str; 20] = [
        "The", "A", "An", "My", "Our", "His", "Her", "Two", "Many", "These", "He", "She", "It", "We", "They", "You",
        "Please", "Birds", "Some", "What",
    ];
    let (head, _) = split_head(sentence);
    if OPENINGS.contains(&head) { uncapitalise(sentence) } else { sentence.to_owned() }
}

fn split_head(phrase: &str) -> (&str, &str) {
    phrase.split_at(phrase.find(' ').unwrap_or(phrase.len()))
}

/// The shared rule for regular plurals and for the third person.
fn add_s(word: &str) -> String {
    if let Some(stem) = consonant_y(word) {
        format!("{stem}ies")
    } else if ["s", "x", "z", "ch", "sh"].iter().any(|end| word.ends_with(end)) {
        format!("{word}es")
    } else {
        format!("{word}s")
    }
}

fn regular_past(verb: &str) -> String {
    if let Some(stem) = consonant_y(verb) {
        format!("{stem}ied")
    } else if verb.ends_with('e') {
        format!("{verb}d")
    } else {
        format!("{verb}ed")
    }
}

/// The stem of a word that ends in a consonant and "y".
fn consonant_y(word: &str) -> Option<&str> {
    let stem = word.strip_suffix('y')?;
    (!stem.is_empty() && !stem.ends_with(['a', 'e', 'i', 'o', 'u'])).then_some(stem)
}

/// Reads `base|form` pairs separated by commas or line ends.
fn pairs(text: &str) -> Result<BTreeMap<String, String>> {
    text.split([',', '\n'])
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (base, form) = pair.split_once('|').with_context(|| format!("no '|' in {pair:?}"))?;
            Ok((base.trim().to_owned(), form.trim().to_owned()))
        })
        .collect()
}
