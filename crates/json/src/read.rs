//! JSON as Python reads it.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::Number;

use crate::mark::{self, MARK, WORDS};

/// What was wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Counts from 1.
    pub line: usize,
    /// Counts from 1, in bytes.
    pub column: usize,
    /// What the reader says, without the place.
    pub message: String,
}

/// Reads JSON as Python's `json.loads` does: what only Python takes stands in strings of a [`Value`](serde_json::Value)
/// that [`text`](crate::text) tells from others. Numbers beyond the range of `f64` are infinite, as in Python.
///
/// # Errors
///
/// The first [`Fault`], at its place in `text`.
pub fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Fault> {
    // Without its position: it counts from the wrong line for JSON Lines.
    let bare = |error: &serde_json::Error| {
        let message = error.to_string();
        message.split(" at line ").next().unwrap_or(&message).to_owned()
    };
    let plain = serde_json::from_slice(text);
    if plain.is_ok() && !has_long_integer(text) {
        return plain.map_err(|_| unreachable!("it was read"));
    }
    match marked(text) {
        Marked { text: Cow::Borrowed(_), .. } => {
            plain.map_err(|error| Fault { line: error.line().max(1), column: error.column(), message: bare(&error) })
        }
        Marked { text: Cow::Owned(marked), places } => serde_json::from_slice(&marked).map_err(|error| {
            // The column in the text as it was.
            let line = error.line().max(1);
            let longer = places.iter().filter(|place| place.line == line && place.column < error.column());
            let column = longer.fold(error.column(), |column, place| column.saturating_add_signed(-place.longer));
            Fault { line, column, message: bare(&error) }
        }),
    }
}

/// Whether some number may have more digits than 64 bits hold, which the standard's reader would round.
fn has_long_integer(text: &[u8]) -> bool {
    text.split(|byte| !byte.is_ascii_digit()).any(|digits| digits.len() >= 19)
}

/// A text, and where marks made it longer.
struct Marked<'a> {
    text: Cow<'a, [u8]>,
    places: Vec<Place>,
}

/// Where a mark ends in the marked text, and how much longer it is than what it replaced.
struct Place {
    line: usize,
    column: usize,
    longer: isize,
}

/// The text with what only Python takes replaced by strings that the standard's reader takes.
fn marked(text: &[u8]) -> Marked<'_> {
    let mut out: Vec<u8> = Vec::new();
    let mut places = Vec::new();
    // Up to here the text is in `out`.
    let mut copied = 0;
    let mut at = 0;
    let mut in_string = false;
    // The last character outside of strings that is no blank: a value stands after one of these only.
    let mut before = b'[';
    // What is open: after a comma within an object comes a key, which Python does not take such words for either.
    let mut open: Vec<u8> = Vec::new();
    let (mut line, mut line_start) = (1, 0);
    while at < text.len() {
        let rest = &text[at..];
        let (length, mark) = match (in_string, rest[0]) {
            (_, b'"') => {
                in_string = !in_string;
                (1, None)
            }
            (true, b'\\') => match (surrogate(rest), rest.get(6..).and_then(surrogate)) {
                (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, None),
                // Lower case, as Python writes it back.
                (Some(lone), _) => (6, Some(format!("{MARK}{lone:04x}"))),
                (None, _) => (2, None),
            },
            (false, b'N' | b'I' | b'-' | b'0'..=b'9')
                if b"[:".contains(&before) || before == b',' && open.last() == Some(&b'[') =>
            {
                let word = WORDS.into_iter().find(|word| rest.starts_with(word.as_bytes()));
                let (length, number) = word.map_or_else(|| number(rest), |word| (word.len(), Some(word)));
                (length, number.map(|number| format!("\"{}\"", mark::of_number(number))))
            }
            _ => (1, None),
        };
        if !in_string && !rest[0].is_ascii_whitespace() {
            before = rest[0];
            match before {
                b'[' | b'{' => open.push(before),
                b']' | b'}' => _ = open.pop(),
                _ => {}
            }
        }
        if rest[0] == b'\n' {
            line += 1;
            line_start = out.len() + at + 1 - copied;
        }
        if let Some(mark) = mark {
            out.extend_from_slice(&text[copied..at]);
            out.extend_from_slice(mark.as_bytes());
            copied = at + length;
            places.push(Place {
                line,
                column: out.len() - line_start,
                longer: mark.len().cast_signed() - length.cast_signed(),
            });
        }
        at += length;
    }
    if places.is_empty() {
        return Marked { text: Cow::Borrowed(text), places };
    }
    out.extend_from_slice(text.get(copied..).unwrap_or_default());
    Marked { text: Cow::Owned(out), places }
}

/// The length of the number at the start of a text, and the number if the standard's reader does not keep it.
fn number(text: &[u8]) -> (usize, Option<&str>) {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte)).count();
    let Ok(literal) = std::str::from_utf8(&text[..length]) else { return (length, None) };
    let kept = match serde_json::from_str::<Number>(literal) {
        // Rounded to a float, unless it is one.
        Ok(number) => !number.is_f64() || literal.contains(['.', 'e', 'E']) || literal == "-0",
        Err(error) => !error.to_string().starts_with("number out of range"),
    };
    let infinite = if literal.starts_with('-') { "-Infinity" } else { "Infinity" };
    let python = if literal.contains(['.', 'e', 'E']) { infinite } else { literal };
    (length, (!kept).then_some(python))
}

/// The surrogate that an escape at the start of a text stands for.
fn surrogate(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    Some(code).filter(|code| (0xd800..0xe000).contains(code))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{Fault, read};
    use crate::{NoText, text, to_line};

    #[test]
    fn what_python_reads_is_written_back_as_python_writes_it() {
        // print(json.dumps(json.loads(text))) in Python 3.11.
        for (given, back) in [
            (r#"{"id":18446744073709551617}"#, r#"{"id": 18446744073709551617}"#),
            (
                r"[-9223372036854775809,9223372036854775808,18446744073709551615]",
                "[-9223372036854775809, 9223372036854775808, 18446744073709551615]",
            ),
            (r"[1e999,-1e999, 1.5e400]", "[Infinity, -Infinity, Infinity]"),
            (
                r#"[NaN,-Infinity,"a\ud83d!",12345678901234567890.5]"#,
                r#"[NaN, -Infinity, "a\ud83d!", 1.2345678901234567e+19]"#,
            ),
            (r#"["18446744073709551617",0]"#, r#"["18446744073709551617", 0]"#),
        ] {
            assert_eq!(to_line(&read::<Value>(given.as_bytes()).unwrap()), back);
        }
        let zeros = "0".repeat(400);
        assert_eq!(to_line(&read::<Value>(format!("[1{zeros}.0]").as_bytes()).unwrap()), "[Infinity]");
        assert_eq!(to_line(&read::<Value>(format!("[1{zeros}]").as_bytes()).unwrap()), format!("[1{zeros}]"));
    }

    #[test]
    fn stand_ins_are_no_texts() {
        let value: Value = read(br#"[18446744073709551617, NaN, "\udc00", "1"]"#).unwrap();
        let of = |place: usize| text(value[place].as_str().unwrap());
        assert_eq!(of(0), Err(NoText::Number("18446744073709551617")));
        assert_eq!(of(1), Err(NoText::Number("NaN")));
        assert_eq!(of(2), Err(NoText::Surrogate("dc00")));
        assert_eq!(of(3), Ok("1"));
    }

    #[test]
    fn faults_are_where_they_are_in_the_text() {
        let fault = |text: &str| read::<Value>(text.as_bytes()).unwrap_err();
        let zeros = "0".repeat(400);
        for (text, line, column) in [
            ("[NaN,\n 18446744073709551617, oops]".to_owned(), 2, 24),
            (format!("[1{zeros}.0, oops]"), 1, 407),
            ("[01]".to_owned(), 1, 3),
            ("[1.]".to_owned(), 1, 4),
            ("{\"a\":1, NaN:2}".to_owned(), 1, 9),
            ("{\"a\":[1, NaN], 18446744073709551617:2}".to_owned(), 1, 16),
        ] {
            let Fault { line: l, column: c, message } = fault(&text);
            assert_eq!((l, c), (line, column), "{message}");
        }
    }
}
