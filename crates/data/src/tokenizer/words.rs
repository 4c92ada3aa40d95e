//! Cutting a text into words as GPT-2's expression does:
//! `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.

use std::sync::LazyLock;

use regex_syntax::hir;

/// What the expression tells characters apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Class {
    Letter,
    Number,
    Space,
    Other,
}

/// Characters of ASCII, for which no table of the library is needed; a test holds both equal.
static ASCII: [Class; 128] = {
    let mut classes = [Class::Other; 128];
    let mut byte = 0;
    while byte < 128_u8 {
        classes[byte as usize] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
            b'0'..=b'9' => Class::Number,
            b'\t'..=b'\r' | b' ' => Class::Space,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
};

/// The class of every character, as the library behind regular expressions has it.
struct Classes {
    /// Where the page of a character begins, by its code point without the last eight bits.
    starts: Vec<usize>,
    /// Pages of 256 classes; most characters share a few.
    pages: Vec<Class>,
}

static CLASSES: LazyLock<Classes> = LazyLock::new(|| {
    let mut flat = vec![Class::Other; char::MAX as usize + 1];
    for (expression, class) in [(r"\p{L}", Class::Letter), (r"\p{N}", Class::Number), (r"\s", Class::Space)] {
        let parsed = regex_syntax::parse(expression);
        let Ok(hir::HirKind::Class(hir::Class::Unicode(characters))) = parsed.as_ref().map(hir::Hir::kind) else {
            unreachable!("{expression} is a class of characters");
        };
        for range in characters.ranges() {
            flat[range.start() as usize..=range.end() as usize].fill(class);
        }
    }
    let (mut starts, mut pages): (_, Vec<Class>) = (Vec::new(), Vec::new());
    for page in flat.chunks_exact(256) {
        let known = pages.chunks_exact(256).position(|known| known == page);
        starts.push(known.map_or(pages.len(), |index| index * 256));
        if known.is_none() {
            pages.extend(page);
        }
    }
    Classes { starts, pages }
});

/// The class of the character at a byte, and the byte after it; none at the end.
#[inline]
fn class_at(text: &str, at: usize) -> Option<(Class, usize)> {
    let byte = *text.as_bytes().get(at)?;
    if byte < 128 {
        return Some((ASCII[usize::from(byte)], at + 1));
    }
    let character = text[at..].chars().next()?;
    let code = character as usize;
    let classes = &*CLASSES;
    Some((classes.pages[classes.starts[code >> 8] + (code & 255)], at + character.len_utf8()))
}

/// The words of a text, in order and without gaps.
pub(super) struct Words<'a> {
    text: &'a str,
    at: usize,
}

/// Cuts a text into words.
pub(super) fn words(text: &str) -> Words<'_> {
    Words { text, at: 0 }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        self.at = end_of_word(self.text, start)?;
        Some(&self.text.as_bytes()[start..self.at])
    }
}

/// Where the word that begins at `start` ends; none at the end of the text.
#[inline]
fn end_of_word(text: &str, start: usize) -> Option<usize> {
    let (mut class, mut at) = class_at(text, start)?;
    match text.as_bytes()[start] {
        b'\'' => {
            let length = contraction(&text.as_bytes()[at..]);
            if length > 0 {
                return Some(at + length);
            }
        }
        b' ' => {
            if let Some((next, after)) = class_at(text, at)
                && next != Class::Space
            {
                (class, at) = (next, after);
            }
        }
        _ => {}
    }
    if class == Class::Space {
        return Some(end_of_space(text, start, at));
    }
    while let Some((next, after)) = class_at(text, at) {
        if next != class {
            break;
        }
        at = after;
    }
    Some(at)
}

/// The bytes after an apostrophe that belong to it.
fn contraction(rest: &[u8]) -> usize {
    match rest {
        [b's' | b't' | b'm' | b'd', ..] => 1,
        [b'r' | b'v', b'e', ..] | [b'l', b'l', ..] => 2,
        _ => 0,
    }
}

/// Where white space ends that begins at `start` and whose second character is at `at`: its last character is left to
/// the word after it.
fn end_of_space(text: &str, start: usize, mut at: usize) -> usize {
    let mut last = start;
    while let Some((class, after)) = class_at(text, at) {
        if class != Class::Space {
            return if last > start { last } else { at };
        }
        (last, at) = (at, after);
    }
    at
}

/// The last place in `from..=to` (from itself, if there is none) where words meet whatever stands around the two
/// characters beside it; `to` is before the end of the text.
///
/// Up to there every text is cut alike that goes on with the character after it.
pub(super) fn last_seam(text: &str, from: usize, to: usize) -> usize {
    let boundary = |at: usize| (from..=at).rev().find(|&at| text.is_char_boundary(at));
    let Some(mut at) = boundary(to) else { return from };
    let Some((mut right, _)) = class_at(text, at) else { return from };
    while at > from {
        let Some((before, (left, _))) = boundary(at - 1).and_then(|before| Some((before, class_at(text, before)?)))
        else {
            return from;
        };
        // White space is joined to what follows it, and an apostrophe to some letters.
        if left != Class::Space && left != right && text.as_bytes()[before] != b'\'' {
            return at;
        }
        (right, at) = (left, before);
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&[u8]> {
        words(text).collect()
    }

    fn expression() -> fancy_regex::Regex {
        let expression = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
        fancy_regex::Regex::new(expression).unwrap()
    }

    fn matches<'a>(expression: &fancy_regex::Regex, text: &'a str) -> Vec<&'a [u8]> {
        expression.find_iter(text).map(|found| found.unwrap().as_str().as_bytes()).collect()
    }

    #[test]
    fn every_character_is_cut_as_by_the_expression() {
        let expression = expression();
        let characters: Vec<char> = (0..=u32::from(char::MAX)).filter_map(char::from_u32).collect();
        for some in characters.chunks(512) {
            // Each beside itself, a letter, a number, an apostrophe and white space of both kinds.
            let around = |c: &char| format!("{c}\n{c}a{c}1{c}{c}!{c}'{c} {c}  {c}\t{c}\n\n{c} \u{a0}");
            let text = some.iter().map(around).collect::<Vec<_>>().concat();
            assert_eq!(cut(&text), matches(&expression, &text), "from {:?}", some[0]);
        }
    }

    #[test]
    fn strings_of_few_characters_are_cut_as_by_the_expression() {
        let expression = expression();
        let alphabet = [' ', '\n', 'a', '1', '\'', 's', 'l', 'v', 'e', '!', 'é', '\u{a0}', '½', '日'];
        for number in 0..14_u32.pow(5) {
            let text: String = (0..5).map(|digit| alphabet[(number / 14_u32.pow(digit) % 14) as usize]).collect();
            assert_eq!(cut(&text), matches(&expression, &text), "{text:?}");
        }
    }

    #[test]
    fn words_meet_at_a_seam_whatever_stands_around_it() {
        assert_eq!(last_seam("one two three", 0, 9), 7);
        assert_eq!(last_seam("one two three", 5, 6), 5, "no seam within");
        assert_eq!(last_seam("it's", 0, 3), 2, "the apostrophe begins a word, and belongs to the letter");
        assert_eq!(last_seam("a \n b", 0, 4), 1, "the blank is the next word's");
        assert_eq!(last_seam("日本。語", 0, 9), 9);
        assert_eq!(last_seam("日本。語", 0, 8), 6, "a place within a character");
    }
}
