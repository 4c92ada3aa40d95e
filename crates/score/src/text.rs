//! From texts to what is compared.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// Marks that end a sentence or an answer.
const CLOSING: &[char] = &['.', '!', '?', ',', ';', ':', '…', '。', '！', '？', '，', '；', '：'];

/// Opening and closing quotation marks.
const QUOTES: &[(char, char)] = &[
    ('"', '"'),
    ('\'', '\''),
    ('`', '`'),
    ('“', '”'),
    ('‘', '’'),
    ('„', '“'),
    ('‚', '‘'),
    ('«', '»'),
    ('»', '«'),
    ('‹', '›'),
    ('「', '」'),
    ('『', '』'),
];

/// The words that `SQuAD` leaves out.
const ARTICLES: [&str; 3] = ["a", "an", "the"];

/// Unicode's composed form.
pub(crate) fn composed(text: &str) -> Cow<'_, str> {
    if is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) }
}

/// Without white space at the ends.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Lower case, single spaces, no closing punctuation and no quotation marks around the whole. A text that is
/// nothing but such marks stays: `?` is an answer too.
pub(crate) fn normalized(text: &str) -> String {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split(is_space).filter(|word| !word.is_empty()).collect();
    let whole = words.join(" ");
    let mut rest = whole.as_str();
    loop {
        let unended = rest.trim_end_matches(|c| c == ' ' || CLOSING.contains(&c));
        let bare = unquoted(unended).unwrap_or(unended).trim_matches(' ');
        if bare.is_empty() || bare == rest {
            return rest.to_owned();
        }
        rest = bare;
    }
}

fn unquoted(text: &str) -> Option<&str> {
    QUOTES.iter().find_map(|&(open, close)| text.strip_prefix(open)?.strip_suffix(close))
}

/// The words of `SQuAD`'s F1: lower case, without punctuation and articles.
pub(crate) fn squad_tokens(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let kept: String = lower.chars().filter(|&c| !is_punctuation(c)).collect();
    let mut spaced = String::with_capacity(kept.len());
    let mut rest = kept.as_str();
    // Runs of word characters and of others in turn, as the expression \b(a|an|the)\b sees them.
    while let Some(first) = rest.chars().next() {
        let in_word = is_word_character(first);
        let (run, after) = rest.split_at(rest.find(|c| is_word_character(c) != in_word).unwrap_or(rest.len()));
        spaced.push_str(if ARTICLES.contains(&run) { " " } else { run });
        rest = after;
    }
    spaced.split(is_space).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The words of `rouge-score`: runs of the letters a to z and digits in the lower-cased text.
pub(crate) fn rouge_tokens(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit());
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// White space as Python's `str.split` sees it: Unicode's, and the four separators of ASCII.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Python's `string.punctuation`, and every character of Unicode's category P.
fn is_punctuation(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_punctuation()
    } else {
        c.general_category_group() == GeneralCategoryGroup::Punctuation
    }
}

/// `\w` of Python's expressions; the underscore is punctuation and gone by then.
fn is_word_character(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric()
    } else {
        matches!(c.general_category_group(), GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_normal_form_forgives() {
        for (text, form) in [
            ("Paris", "paris"),
            ("  Paris.\n", "paris"),
            ("\"Paris.\"", "paris"),
            ("“Paris”!", "paris"),
            ("The\tbig\u{a0} \n house …", "the big house"),
            ("ΟΔΟΣ", "οδος"),
            ("« oui »", "oui"),
        ] {
            assert_eq!(normalized(text), form, "{text}");
        }
    }

    #[test]
    fn what_it_does_not() {
        for (one, other) in [
            ("a apple", "an apple"),
            ("the dog", "dog"),
            ("let's eat, grandma", "lets eat grandma"),
            ("?", "!"),
            ("\"", "'"),
            ("-5", "5"),
            ("straße", "strasse"),
        ] {
            assert_ne!(normalized(one), normalized(other), "{one} and {other}");
        }
        assert_eq!(normalized(""), "");
        assert_eq!(normalized(" ?! "), "?!");
        assert_eq!(normalized("\"\""), "\"\"");
    }

    #[test]
    fn tokens_are_those_of_the_two_scripts() {
        assert_eq!(squad_tokens("The cat's  hat — a “top-hat”, $5!"), ["cats", "hat", "tophat", "5"]);
        assert_eq!(squad_tokens("a€ theatre an"), ["€", "theatre"]);
        assert_eq!(squad_tokens("...").len(), 0);
        assert_eq!(rouge_tokens("The cat's naïve—hat 3.5 日本"), ["the", "cat", "s", "na", "ve", "hat", "3", "5"]);
    }
}
