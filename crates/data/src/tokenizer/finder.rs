//! Finding added tokens in a text.

use std::ops::Range;

use aho_corasick::{AhoCorasick, BuildError, MatchKind};

use super::Added;

/// Finds added tokens as Hugging Face's library does: from left to right, the longest of those that begin at a place.
/// Those that stand for normalized text are looked for between the others, even if nothing normalizes.
pub(super) struct Finder {
    passes: Vec<(AhoCorasick, Vec<u32>)>,
    /// Bytes of the longest token.
    longest: usize,
}

/// An added token in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) id: u32,
    /// Its bytes.
    pub(super) place: Range<usize>,
}

impl Finder {
    /// A finder of tokens, each with whether it stands for normalized text.
    pub(super) fn new(tokens: &[(Added, bool)]) -> Result<Self, BuildError> {
        let pass = |normalized: bool| {
            let (ids, texts): (Vec<u32>, Vec<&str>) = tokens
                .iter()
                .filter(|token| token.1 == normalized)
                .map(|(token, _)| (token.id, token.content.as_str()))
                .unzip();
            if ids.is_empty() {
                return Ok(None);
            }
            let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(texts)?;
            Ok(Some((automaton, ids)))
        };
        let passes = [pass(false)?, pass(true)?].into_iter().flatten().collect();
        let longest = tokens.iter().map(|(token, _)| token.content.len()).max().unwrap_or(0);
        Ok(Self { passes, longest })
    }

    /// The added tokens of a text, in order.
    pub(super) fn find(&self, text: &str) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        for (automaton, ids) in &self.passes {
            let mut with_these = Vec::new();
            let mut start = 0;
            let between = |range: Range<usize>| {
                automaton.find_iter(&text[range.clone()]).map(move |this| {
                    let place = range.start + this.start()..range.start + this.end();
                    Found { id: ids[this.pattern().as_usize()], place }
                })
            };
            for known in found {
                with_these.extend(between(start..known.place.start));
                start = known.place.end;
                with_these.push(known);
            }
            with_these.extend(between(start..text.len()));
            found = with_these;
        }
        found
    }

    /// How many bytes after a place decide whether a token begins there.
    pub(super) fn reach(&self) -> usize {
        self.passes.len() * self.longest
    }
}
