//! The text that is compared, and its n-grams of characters.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// The longest n-gram that is counted; the shortest is one character.
const LONGEST: usize = 3;

/// Bits of a character in an n-gram's number. Three of 21 fit into 64 bits, and as no text that is compared has the
/// character 0, n-grams of different lengths differ.
const BITS: u32 = 21;

/// How often each n-gram is in a text, in the order of their numbers.
pub(super) type Counts = Vec<(u64, u32)>;

/// Whether a text is in pairs at all. As in the book, texts of one character never are.
pub(super) fn is_compared(text: &str) -> bool {
    text.chars().nth(1).is_some()
}

/// The characters of a text that are compared: in lower case, without punctuation, and with one space for more than one
/// character of white space.
///
/// The rules are Python's: `\w` is Unicode's letters and numbers and the underscore, `\s` has ASCII's four separators.
pub(super) fn bare(text: &str, chars: &mut Vec<char>) {
    chars.clear();
    let mut push = |c: char| {
        if is_space(c) {
            match chars.last_mut() {
                Some(last) if is_space(*last) => *last = ' ',
                _ => chars.push(c),
            }
        } else if is_word_character(c) {
            chars.push(c);
        }
    };
    if text.is_ascii() {
        text.bytes().for_each(|byte| push(byte.to_ascii_lowercase().into()));
    } else {
        text.to_lowercase().chars().for_each(push);
    }
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

fn is_word_character(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric() || c == '_'
    } else {
        matches!(c.general_category_group(), GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number)
    }
}

/// Room for the n-grams of one text after another.
#[derive(Default)]
pub(super) struct Grams {
    /// The characters that are compared.
    pub chars: Vec<char>,
    all: Vec<u64>,
}

impl Grams {
    /// The counts of a text's n-grams, in the order of their numbers; the last text's are overwritten.
    pub(super) fn count(&mut self, text: &str, counts: &mut Counts) {
        bare(text, &mut self.chars);
        self.count_chars(counts);
    }

    /// As [`Grams::count`], for characters that are there already.
    pub(super) fn count_chars(&mut self, counts: &mut Counts) {
        self.all.clear();
        for n in 1..=LONGEST {
            self.all.extend(self.chars.windows(n).map(number));
        }
        self.all.sort_unstable();
        counts.clear();
        for gram in &self.all {
            match counts.last_mut() {
                Some((last, count)) if last == gram => *count += 1,
                _ => counts.push((*gram, 1)),
            }
        }
    }
}

/// The number of an n-gram.
fn number(gram: &[char]) -> u64 {
    gram.iter().fold(0, |number, c| number << BITS | u64::from(*c))
}

/// The weight of an n-gram by how many of the texts have it, as scikit-learn smooths it.
pub(super) fn rarity(texts: u64, have_it: u64) -> f64 {
    ((texts + 1) as f64 / (have_it + 1) as f64).ln() + 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(text: &str) -> String {
        let mut chars = Vec::new();
        bare(text, &mut chars);
        chars.into_iter().collect()
    }

    #[test]
    fn punctuation_and_capitals_do_not_count() {
        for (text, expected) in [
            ("What's the capital, Bob?", "whats the capital bob"),
            ("a\n\n\tb", "a b"),
            ("a\nb", "a\nb"),
            ("a - b", "a b"),
            ("x_1²", "x_1²"),
            ("e\u{301}\0\u{10fffe}d834", "ed834"),
            ("ΟΔΟΣ!", "οδος"),
            ("\u{1c}\u{1f}a\u{2003}", " a\u{2003}"),
            ("?!", ""),
        ] {
            assert_eq!(text_of(text), expected, "{text:?}");
        }
    }

    #[test]
    fn every_gram_of_up_to_three_characters_is_counted() {
        let mut counts = Vec::new();
        Grams::default().count("Abab", &mut counts);
        let of = |text: &str| number(&text.chars().collect::<Vec<_>>());
        let expected = [("a", 2), ("b", 2), ("ab", 2), ("ba", 1), ("aba", 1), ("bab", 1)];
        assert_eq!(counts, expected.map(|(text, count)| (of(text), count)));
        Grams::default().count("", &mut counts);
        assert!(counts.is_empty());
    }
}
