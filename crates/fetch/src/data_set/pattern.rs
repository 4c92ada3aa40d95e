//! Patterns of file names, as `datasets` understands them.

/// Whether a name stands for several files.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// A pattern that matches this name alone.
pub(super) fn escaped(name: &str) -> String {
    name.chars().map(|c| if is_pattern(&c.to_string()) { format!("[{c}]") } else { c.to_string() }).collect()
}

/// Whether a file is one that a pattern means: `**` between slashes is any number of folders, at the end with all that
/// is in them; `*`, `?` and `[...]` stay within a name. What is hidden, or in a folder such as `__pycache__`, has to be
/// meant expressly.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    let hidden = |text: &str| text.split('/').filter(|part| part.starts_with('.')).count();
    let special = |text: &str| text.rsplit('/').skip(1).filter(|part| part.starts_with("__")).count();
    let mut parts: Vec<&str> = pattern.split('/').collect();
    if parts.last() == Some(&"**") {
        parts.push("*");
    }
    let names: Vec<&str> = path.split('/').collect();
    hidden(pattern) == hidden(path)
        && special(pattern) == special(path)
        && wildcard(
            &parts,
            &names,
            |part| *part == "**",
            |part, name| {
                wildcard(
                    &pieces(part),
                    &name.chars().collect::<Vec<_>>(),
                    |piece| *piece == Piece::Any,
                    |piece, c| piece.is(*c),
                )
            },
        )
}

/// Matches a sequence against one of patterns, of which some are for any number of elements. Only the last of those that
/// was met is ever taken back, so that the time is bounded by the product of the lengths.
fn wildcard<P, T>(patterns: &[P], items: &[T], is_any: impl Fn(&P) -> bool, is: impl Fn(&P, &T) -> bool) -> bool {
    let (mut at, mut item, mut back) = (0, 0, None);
    while item < items.len() {
        match patterns.get(at) {
            Some(pattern) if is_any(pattern) => {
                back = Some((at, item));
                at += 1;
            }
            Some(pattern) if is(pattern, &items[item]) => {
                at += 1;
                item += 1;
            }
            _ => {
                let Some((any, taken)) = back else { return false };
                back = Some((any, taken + 1));
                (at, item) = (any + 1, taken + 1);
            }
        }
    }
    patterns[at..].iter().all(is_any)
}

/// A part of the pattern of a name.
#[derive(PartialEq)]
enum Piece {
    /// Any number of characters.
    Any,
    /// One character.
    One,
    /// This one.
    Is(char),
    /// One of these ranges, or none of them.
    Of(Vec<(char, char)>, bool),
}

impl Piece {
    fn is(&self, c: char) -> bool {
        match self {
            Self::Any => false,
            Self::One => true,
            Self::Is(own) => *own == c,
            Self::Of(ranges, wanted) => ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) == *wanted,
        }
    }
}

fn pieces(pattern: &str) -> Vec<Piece> {
    let characters: Vec<char> = pattern.chars().collect();
    let (mut pieces, mut at) = (Vec::new(), 0);
    while let Some(&c) = characters.get(at) {
        at += 1;
        pieces.push(match c {
            '*' => Piece::Any,
            '?' => Piece::One,
            '[' => {
                let wanted = characters.get(at) != Some(&'!');
                let start = at + usize::from(!wanted);
                // A bracket that comes first is a character like others.
                let end = (start + 1..characters.len()).find(|&end| characters[end] == ']');
                let Some(end) = end else {
                    pieces.push(Piece::Is('['));
                    continue;
                };
                at = end + 1;
                Piece::Of(ranges(&characters[start..end]), wanted)
            }
            c => Piece::Is(c),
        });
    }
    pieces
}

fn ranges(mut characters: &[char]) -> Vec<(char, char)> {
    let mut ranges = Vec::new();
    while let [first, rest @ ..] = characters {
        let (last, rest) = match rest {
            ['-', last, rest @ ..] => (last, rest),
            _ => (first, rest),
        };
        ranges.push((*first, *last));
        characters = rest;
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stay_in_a_name_and_double_ones_do_not() {
        for (pattern, path) in [
            ("*.csv", "a.csv"),
            ("data/*", "data/a"),
            ("data/**", "data/a/b"),
            ("**", "a/b/c"),
            ("**/train[-._ 0-9]*", "train-0.json"),
            ("**/train[-._ 0-9]*", "x/y/train1"),
            ("**/*[-._ 0-9]train/**", "a/my-train/b/c"),
            ("a?c[!x]", "abcd"),
            ("[[]x[]]", "[x]"),
            ("a[b", "a[b"),
            (".hidden/*", ".hidden/a"),
            ("__x__/*", "__x__/a"),
            ("a*b*c", "abbbcbc"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("*.csv", "a/b.csv"),
            ("data/**", "data"),
            ("data/*", "data/a/b"),
            ("**/train[-._ 0-9]*", "training.json"),
            ("a?c[!x]", "abcx"),
            ("**", ".hidden/a"),
            ("**", "a/.b"),
            ("*/*", "__x__/a"),
            ("a*b", "abc"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
        assert!(matches(&escaped("a[1]*?.json"), "a[1]*?.json") && !matches(&escaped("a*"), "ab"));
        // Nothing grows with the number of stars.
        let (many, long) = ("a*".repeat(300), "a".repeat(3000));
        assert!(!matches(&format!("{many}b"), &long));
        assert!(!matches(&format!("{}b", "**/".repeat(300)), &"a/".repeat(1000)));
    }
}
