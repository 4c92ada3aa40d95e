//! The text that is compared, and its n-grams of characters.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// The longest n-gram that is counted; the shortest is one character.
const LONGEST: usize = 3;

/// Bits of a character in an n-gram's number. Three of 21 fit into 64 bits, and as no text that is compared has the
/// character 0, n-grams of different lengths differ.
const BITS: u32 = 21;

/// How often each n-gram is in a text.
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

/// The n-grams of one text after another, in room that is used again.
#[derive(Default)]
pub(super) struct Grams {
    /// The characters that are compared.
    pub chars: Vec<char>,
    counts: Counts,
    /// Places in `counts`, from 1, at the place that an n-gram's bits say or the next one that is free; 0 is free. At
    /// most half is taken.
    table: Vec<u32>,
}

impl Grams {
    /// Counts the n-grams of a text instead of the last one's.
    pub(super) fn count(&mut self, text: &str) -> &Counts {
        bare(text, &mut self.chars);
        self.count_chars()
    }

    /// As [`Grams::count`], for characters that are there already.
    pub(super) fn count_chars(&mut self) -> &Counts {
        self.counts.clear();
        self.table.clear();
        self.table.resize((self.chars.len() * LONGEST * 2).next_power_of_two(), 0);
        for n in 1..=LONGEST {
            for gram in self.chars.windows(n).map(number) {
                match find(&self.counts, &self.table, gram) {
                    Ok(place) => self.counts[place].1 += 1,
                    Err(free) => {
                        self.counts.push((gram, 1));
                        self.table[free] = u32::try_from(self.counts.len()).unwrap_or(0);
                    }
                }
            }
        }
        &self.counts
    }

    /// The counts of the last text, in the order in which its n-grams were seen.
    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How often the last text has an n-gram.
    pub(super) fn of(&self, gram: u64) -> u32 {
        find(&self.counts, &self.table, gram).map_or(0, |place| self.counts[place].1)
    }
}

/// The place of an n-gram in `counts`, or the one that is free for it in `table`.
fn find(counts: &Counts, table: &[u32], gram: u64) -> Result<usize, usize> {
    // Every character is in the uppermost bits of the product.
    let mut at =
        (gram.wrapping_mul(super::min_hash::FACTOR) >> 32 >> (32 - table.len().trailing_zeros().min(32))) as usize;
    loop {
        at &= table.len() - 1;
        match (table[at] as usize).checked_sub(1) {
            None => return Err(at),
            Some(place) if counts[place].0 == gram => return Ok(place),
            Some(_) => at += 1,
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
        let mut grams = Grams::default();
        let of = |text: &str| number(&text.chars().collect::<Vec<_>>());
        for _ in 0..2 {
            let expected = [("a", 2), ("b", 2), ("ab", 2), ("ba", 1), ("aba", 1), ("bab", 1)];
            assert_eq!(grams.count("Abab"), &expected.map(|(text, count)| (of(text), count)));
            assert_eq!((grams.of(of("ab")), grams.of(of("bb"))), (2, 0));
            assert!(grams.count("").is_empty());
            assert_eq!(grams.of(of("a")), 0);
        }
    }

    #[test]
    fn long_texts_are_counted_as_by_sorting() {
        let text: String = (0..5000_u32).filter_map(|n| char::from_u32(0x4e00 + n * n % 89)).collect();
        let chars: Vec<char> = text.chars().collect();
        let mut all: Vec<u64> = (1..=3).flat_map(|n| chars.windows(n).map(number)).collect();
        all.sort_unstable();
        let expected: Counts =
            all.chunk_by(|a, b| a == b).map(|same| (same[0], u32::try_from(same.len()).unwrap())).collect();
        let mut counts = Grams::default().count(&text).clone();
        counts.sort_unstable();
        assert_eq!(counts, expected);
    }
}
