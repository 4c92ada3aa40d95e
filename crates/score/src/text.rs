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

/// The words of `SQuAD`'s F1: lower case, without punctuation and articles. A `+` or `#` that ends a word stays, which
/// tells C++ and C# from C; characters of scripts that put no spaces between words are words of their own.
pub(crate) fn squad_tokens(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let mut kept = String::with_capacity(lower.len());
    let mut after_word = false;
    for c in lower.chars() {
        let ends_a_word = after_word && matches!(c, '+' | '#');
        if ends_a_word || !is_punctuation(c) {
            kept.push(c);
        }
        after_word = ends_a_word || c.is_alphanumeric();
    }
    let mut spaced = String::with_capacity(kept.len());
    let mut rest = kept.as_str();
    // Runs of word characters and of others in turn, as the expression \b(a|an|the)\b sees them.
    while let Some(first) = rest.chars().next() {
        let in_word = is_word_character(first);
        let (run, after) = rest.split_at(rest.find(|c| is_word_character(c) != in_word).unwrap_or(rest.len()));
        // What a sign ends is no article: A+ is a mark.
        let is_article = ARTICLES.contains(&run) && !after.starts_with(['+', '#']);
        spaced.push_str(if is_article { " " } else { run });
        rest = after;
    }
    spaced.split(is_space).flat_map(without_spaces).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The words of `rouge-score`, which are runs of the letters a to z and digits in the lower-cased text; and where a text
/// has letters of another script, which `rouge-score` does not see, runs of these, or the single characters of scripts
/// that put no spaces between words.
pub(crate) fn rouge_tokens(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let mut tokens: Vec<String> = Vec::new();
    // What the character before was, if it was part of a word.
    let mut before = None;
    for c in lower.chars() {
        let kind = Kind::of(c);
        match kind {
            Some(kind) if before == Some(kind) && kind != Kind::Single => {
                if let Some(token) = tokens.last_mut() {
                    token.push(c);
                }
            }
            Some(_) => tokens.push(c.to_string()),
            // A sign that belongs to the letter before it.
            None if is_mark(c) && matches!(before, Some(Kind::Other | Kind::Single)) => {
                if let Some(token) = tokens.last_mut() {
                    token.push(c);
                }
                continue;
            }
            None => {}
        }
        before = kind;
    }
    tokens
}

/// The words to compare where a metric sees none in a text: those of its normal form.
pub(crate) fn visible_tokens(text: &str) -> Vec<String> {
    normalized(text).split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// What a character is to ROUGE-L.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A letter from a to z, or a digit.
    Ascii,
    /// A letter or number of another script than Latin.
    Other,
    /// The same of a script that puts no spaces between words.
    Single,
}

impl Kind {
    fn of(c: char) -> Option<Self> {
        match c {
            'a'..='z' | '0'..='9' => Some(Self::Ascii),
            _ if has_no_spaces(c) && is_word_character(c) => Some(Self::Single),
            _ if !c.is_ascii() && is_word_character(c) && !is_latin(c) => Some(Self::Other),
            _ => None,
        }
    }
}

/// Letters of the Latin script beyond ASCII, which `rouge-score` takes for the ends of words.
fn is_latin(c: char) -> bool {
    matches!(c, '\u{aa}' | '\u{ba}' | '\u{c0}'..='\u{24f}' | '\u{250}'..='\u{2af}' | '\u{1e00}'..='\u{1eff}'
        | '\u{2c60}'..='\u{2c7f}' | '\u{a720}'..='\u{a7ff}' | '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}')
}

/// Whether a character's script puts no spaces between words: Thai, Lao, Tibetan, Burmese, Khmer, and those of Chinese
/// and Japanese.
fn has_no_spaces(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{f00}'..='\u{fff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3005}'..='\u{3007}' | '\u{3105}'..='\u{312f}' | '\u{a9e0}'..='\u{a9fe}' | '\u{aa60}'..='\u{aa7f}' | '\u{ff66}'..='\u{ff9f}' | '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

fn is_mark(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Mark
}

/// A word, with the characters of scripts without spaces apart.
fn without_spaces(word: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, c) in word.char_indices() {
        let before = word[start..at].chars().next();
        // Marks stay with their letter.
        let begins = at > start && !is_mark(c) && (has_no_spaces(c) || before.is_some_and(has_no_spaces));
        if begins {
            parts.push(&word[start..at]);
            start = at;
        }
    }
    parts.push(&word[start..]);
    parts
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
        assert_eq!(rouge_tokens("The cat's naïve—hat 3.5"), ["the", "cat", "s", "na", "ve", "hat", "3", "5"]);
    }

    #[test]
    fn other_scripts_have_words_too() {
        assert_eq!(rouge_tokens("Привет, мир! 日本語 x"), ["привет", "мир", "日", "本", "語", "x"]);
        assert_eq!(rouge_tokens("नमस्ते दुनिया").len(), 2, "vowel signs stay with their letters");
        assert_eq!(rouge_tokens("สวัสดี").len(), 4);
        assert_eq!(squad_tokens("これは a 本です。"), ["こ", "れ", "は", "本", "で", "す"]);
        assert_eq!(squad_tokens("Привет, мир!"), ["привет", "мир"]);
        assert_eq!(squad_tokens("ABC日本"), ["abc", "日", "本"]);
    }

    #[test]
    fn signs_that_end_a_word_stay() {
        assert_eq!(squad_tokens("C++, C# and C."), ["c++", "c#", "and", "c"]);
        assert_eq!(squad_tokens("an A+ in #1 + 2"), ["a+", "in", "1", "2"]);
    }
}
