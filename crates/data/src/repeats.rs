//! Records that repeat others, or nearly.

use std::{borrow::Cow, collections::BTreeMap, convert::Infallible, str::FromStr};

use crate::{
    BadEntry, DataError, Digest, DuplicateError, Example, Examples, MinHash, NearDuplicate, NearDuplicates, Records,
    Role, Seen, Shape, message::digest,
};

/// Texts that are compared each with each: more are searched by [`MinHash`].
pub(crate) const MOST_EXACT: usize = 50_000;
/// The same for bytes of these texts: a search takes 12 bytes of memory for each.
const MOST_BYTES: usize = 32 << 20;
/// Pairs that a search may find.
const MOST_PAIRS: u64 = 10_000_000;

/// What of records is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// All that is said; keys that are not read do not count.
    All,
    /// What the user says, without inputs.
    Instruction,
    /// The inputs of what the user says.
    Input,
    /// What the assistant says.
    Output,
}

impl FromStr for Compared {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        Ok(match name {
            "all" => Self::All,
            "instruction" => Self::Instruction,
            "input" => Self::Input,
            "output" => Self::Output,
            other => {
                let known = "all, instruction, input, output";
                return Err(DataError::UnknownName { what: "part of a record", given: other.to_owned(), known });
            }
        })
    }
}

impl Compared {
    /// The text of an example that is compared; empty if it has nothing to compare. Of several messages it has all.
    #[must_use]
    pub fn text(self, example: &Example) -> Cow<'_, str> {
        let plain = example.plain_text().is_some();
        let texts = example.messages.iter().flat_map(|message| {
            let is_asked = message.role == Role::User;
            let (content, input) = match self {
                Self::All => (true, true),
                // There is nothing else in a plain text.
                Self::Instruction => (is_asked || plain, false),
                Self::Input => (false, is_asked),
                Self::Output => (message.role == Role::Assistant, false),
            };
            [(content, &message.content), (input, &message.input)]
        });
        let texts: Vec<&str> =
            texts.filter(|(is_wanted, text)| *is_wanted && !text.is_empty()).map(|(_, text)| text.as_str()).collect();
        match texts[..] {
            [] => Cow::Borrowed(""),
            [one] => Cow::Borrowed(one),
            _ => Cow::Owned(texts.join("\n")),
        }
    }

    /// A digest of what is compared; none if there is nothing to compare.
    fn digest(self, example: &Example) -> Option<Digest> {
        if self != Self::All {
            return Some(self.text(example)).filter(|text| !text.is_empty()).map(|text| Digest::of(&[&text]));
        }
        Some(digest(&example.messages))
    }
}

/// How near duplicates were found.
#[derive(Debug)]
pub(crate) enum Near {
    /// All of them, each text compared with each.
    All(NearDuplicates),
    /// Most of them, by [`MinHash`], each later text with at most two earlier ones.
    Most(Vec<NearDuplicate>),
}

/// The texts of records, held for a comparison of each with each as long as they are few.
pub(crate) struct Texts {
    texts: Option<Vec<String>>,
    bytes: usize,
}

impl Texts {
    pub fn new() -> Self {
        Self { texts: Some(Vec::new()), bytes: 0 }
    }

    /// Whether they are still held.
    pub fn wanted(&self) -> bool {
        self.texts.is_some()
    }

    /// Takes the next one.
    pub fn push(&mut self, text: String) {
        let Some(texts) = &mut self.texts else { return };
        self.bytes += text.len();
        texts.push(text);
        if texts.len() > MOST_EXACT || self.bytes > MOST_BYTES {
            self.texts = None;
        }
    }
}

impl Near {
    /// Searches pairs of records whose texts are more similar than a threshold above 0 and below 1. `leave_out` says of
    /// which records [`MinHash`], which finds a few of the pairs of very many equal texts, need not know.
    ///
    /// # Errors
    ///
    /// As [`NearDuplicates::search`] and [`MinHash::search`].
    pub(crate) fn search(
        texts: Texts,
        records: &Records,
        shape: Option<&Shape>,
        by: Compared,
        threshold: f64,
        leave_out: impl Fn(usize) -> bool,
    ) -> Result<Self, DuplicateError<DataError>> {
        if let Some(texts) = texts.texts {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            return NearDuplicates::search(&texts, threshold, MOST_PAIRS, |_| ())
                .map(Self::All)
                .map_err(|error| of_memory(&error));
        }
        let source = |take: &mut dyn FnMut(&str)| {
            let mut examples = Examples::new(records.again(), shape.cloned());
            let text = |example: Result<Example, BadEntry>, _: &Shape| {
                example.map(|example| by.text(&example).into_owned()).unwrap_or_default()
            };
            let mut number = 0;
            while let Some(texts) = examples.next_chunk(text)? {
                for text in texts {
                    take(if leave_out(number) { "" } else { &text });
                    number += 1;
                }
            }
            Ok(())
        };
        let mut pairs = MinHash::default().search(threshold, source, |_, _| ())?;
        pairs.sort_unstable_by_key(|pair| (pair.first, pair.second));
        Ok(Self::Most(pairs))
    }

    /// How many pairs there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        match self {
            Self::All(near) => near.count(),
            Self::Most(pairs) => pairs.len() as u64,
        }
    }

    /// The pairs, in the order of their first and then of their second record.
    #[must_use]
    pub fn pairs(&self) -> Box<dyn Iterator<Item = NearDuplicate> + '_> {
        match self {
            Self::All(near) => Box::new(near.iter()),
            Self::Most(pairs) => Box::new(pairs.iter().copied()),
        }
    }
}

/// A source that is memory cannot fail.
fn of_memory(error: &DuplicateError<Infallible>) -> DuplicateError<DataError> {
    match *error {
        DuplicateError::Threshold { given } => DuplicateError::Threshold { given },
        DuplicateError::TooMany { most, threshold } => DuplicateError::TooMany { most, threshold },
        DuplicateError::TooLong => DuplicateError::TooLong,
        DuplicateError::Changed { before, now } => DuplicateError::Changed { before, now },
        DuplicateError::Source(never) => match never {},
    }
}

/// What repeats what.
#[derive(Debug, Clone)]
pub struct RepeatsOptions {
    /// Which keys of a record hold what; none for what the first record of each file shows.
    pub shape: Option<Shape>,
    /// What is compared.
    pub by: Compared,
    /// How similar near repetitions are; 1 for exact ones alone.
    pub threshold: f64,
    /// Pairs that are kept.
    pub most: usize,
}

/// Records that repeat others.
#[derive(Debug)]
pub struct Repeats {
    /// For each record whether an earlier one that stays says the same.
    pub is_repeated: Vec<bool>,
    /// The pairs, the first ones of very many: each repetition with the first record that says exactly the same, and with
    /// near ones all that were found.
    pub pairs: Vec<NearDuplicate>,
    /// How many there are.
    pub count: u64,
    /// Whether near ones were searched by [`MinHash`].
    pub by_min_hash: bool,
    /// Records that cannot be read, which are compared with none.
    pub bad: Vec<BadEntry>,
}

impl Repeats {
    /// Finds the records that repeat others. Exact ones take about 30 bytes of memory a record, for near ones see
    /// [`NearDuplicates`], up to 50,000 records, and [`MinHash`].
    ///
    /// # Errors
    ///
    /// If the data cannot be read or hold no record; what about the threshold or the number of pairs ends the search.
    pub fn find(records: &Records, options: &RepeatsOptions) -> Result<Self, DuplicateError<DataError>> {
        let RepeatsOptions { shape, by, threshold, most } = options;
        let is_near = *threshold != 1.0;
        if is_near {
            super::duplicates::check_threshold(*threshold)?;
        }
        let mut seen = Seen::new();
        let mut texts = if is_near { Texts::new() } else { Texts { texts: None, bytes: 0 } };
        let mut all = Self { is_repeated: vec![], pairs: vec![], count: 0, by_min_hash: false, bad: vec![] };
        let mut examples = Examples::new(records.again(), shape.clone());
        loop {
            let wanted = texts.wanted();
            let work = |example: Result<Example, BadEntry>, _: &Shape| {
                let of = |example: Example| (by.digest(&example), wanted.then(|| by.text(&example).into_owned()));
                example.map(of).map_err(Box::new)
            };
            let Some(chunk) = examples.next_chunk(work).map_err(DuplicateError::Source)? else { break };
            for one in chunk {
                let number = all.is_repeated.len();
                let (digest, text) = one.unwrap_or_else(|entry| {
                    all.bad.push(*entry);
                    (None, Some(String::new()))
                });
                texts.push(text.unwrap_or_default());
                // What is compared with none has a digest that no other has.
                let alone = || Digest::of(&["alone", &number.to_string(), "alone"]);
                let first = seen.see(digest.unwrap_or_else(alone));
                all.is_repeated.push(first.is_some());
                if let Some(first) = first {
                    all.count += 1;
                    if all.pairs.len() < *most {
                        all.pairs.push(NearDuplicate { first, second: number, similarity: 1.0 });
                    }
                }
            }
        }
        if all.is_repeated.is_empty() {
            return Err(DuplicateError::Source(DataError::Empty { origin: records.origin().to_owned() }));
        }
        if is_near {
            let near = Near::search(texts, records, shape.as_ref(), *by, *threshold, |number| all.is_repeated[number])?;
            all.add_near(&near, *most);
        }
        Ok(all)
    }

    fn add_near(&mut self, near: &Near, most: usize) {
        self.by_min_hash = matches!(near, Near::Most(_));
        // Those that are exactly the same are near ones too, but for texts of which nothing is left to compare.
        let mut alone: BTreeMap<(usize, usize), f64> =
            self.pairs.drain(..).map(|pair| ((pair.first, pair.second), pair.similarity)).collect();
        for pair in near.pairs() {
            // The earlier ones of a pair come first, so that it is known by now whether this one stays.
            if !self.is_repeated[pair.first] {
                self.is_repeated[pair.second] = true;
            }
            alone.remove(&(pair.first, pair.second));
            if self.pairs.len() < most {
                self.pairs.push(pair);
            }
        }
        self.count = near.count() + alone.len() as u64;
        let pair = |((first, second), similarity)| NearDuplicate { first, second, similarity };
        self.pairs.extend(alone.into_iter().map(pair));
        self.pairs.sort_unstable_by_key(|pair| (pair.first, pair.second));
        self.pairs.truncate(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(texts: &[(&str, &str)], by: &str, threshold: f64) -> Repeats {
        let lines: Vec<String> = texts
            .iter()
            .map(|(instruction, output)| {
                serde_json::json!({ "instruction": instruction, "output": output }).to_string()
            })
            .collect();
        let records = Records::of_bytes("x.jsonl", lines.join("\n").into_bytes().into());
        let options = RepeatsOptions { shape: None, by: by.parse().unwrap(), threshold, most: 100 };
        Repeats::find(&records, &options).unwrap()
    }

    fn numbers(repeats: &Repeats) -> Vec<usize> {
        (0..repeats.is_repeated.len()).filter(|number| repeats.is_repeated[*number]).collect()
    }

    #[test]
    fn what_is_compared_decides_what_repeats() {
        let texts =
            [("Name a bird.", "Robin"), ("Name a fish.", "Robin"), ("Name a bird.", "Robin"), ("Name a bird.", "Owl")];
        for (by, repeated) in [("all", vec![2]), ("instruction", vec![2, 3]), ("output", vec![1, 2]), ("input", vec![])]
        {
            let found = find(&texts, by, 1.0);
            assert_eq!((numbers(&found), found.count), (repeated.clone(), repeated.len() as u64), "{by}");
            assert!(found.pairs.iter().all(|pair| pair.first == 0 && pair.similarity == 1.0));
        }
        assert!("id".parse::<Compared>().unwrap_err().to_string().contains("known: all, instruction"));
    }

    #[test]
    fn the_first_of_near_repetitions_stays() {
        let texts =
            [("What is the capital of France?", "a"), ("?!", "b"), ("what is the capital of france", "c"), ("?!", "d")];
        let found = find(&texts, "instruction", 0.9);
        assert_eq!((numbers(&found), found.count), (vec![2, 3], 2));
        assert_eq!((found.pairs[0].first, found.pairs[0].second), (0, 2));
        // Nothing is left of it to compare, and it is the same all the same.
        assert_eq!((found.pairs[1].first, found.pairs[1].second, found.pairs[1].similarity), (1, 3, 1.0));
        assert!(!found.by_min_hash);
    }
}
