//! What stands in a [`serde_json::Value`] for what it cannot hold.

use serde_json::Value;

/// Before a number: the number, as a string of its own. Within a string, before four digits: the lone surrogate that
/// they name. A noncharacter that no text should have.
pub(crate) const MARK: char = '\u{10fffe}';

/// Numbers that JSON has no words for.
pub(crate) const WORDS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// The string that stands for a number.
pub(crate) fn of_number(number: &str) -> String {
    format!("{MARK}{number}")
}

/// The number that a string stands for.
pub(crate) fn number(text: &str) -> Option<&str> {
    let number = text.strip_prefix(MARK)?;
    let digits = number.strip_prefix('-').unwrap_or(number);
    let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    (is_integer || WORDS.contains(&number)).then_some(number)
}

/// The digits of the lone surrogate that stands after a mark.
pub(crate) fn surrogate(after: &str) -> Option<&str> {
    let digits = after.get(..4)?;
    u32::from_str_radix(digits, 16).is_ok_and(|code| (0xd800..0xe000).contains(&code)).then_some(digits)
}

/// What a value is, for messages.
#[must_use]
pub fn kind(value: &Value) -> &str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(text) => match number(text) {
            None => "a string",
            Some(word) if WORDS.contains(&word) => word,
            Some(_) => "a number",
        },
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The text of a value, or what is wrong with it, to follow the name of its key.
///
/// # Errors
///
/// `is a number, expected a string`, or what else it is.
pub fn string(value: &Value) -> Result<&str, String> {
    match value.as_str().map(text) {
        Some(Ok(text)) => Ok(text),
        Some(Err(NoText::Surrogate(digits))) => {
            Err(format!("has a lone surrogate, \\u{digits}, which is half of a character"))
        }
        Some(Err(NoText::Number(_))) | None => Err(format!("is {}, expected a string", kind(value))),
    }
}

/// What a string stands for that is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoText<'a> {
    /// A number: `NaN`, `Infinity`, `-Infinity`, or an integer of more than 64 bits.
    Number(&'a str),
    /// A text with half of a character: the four digits of `\\ud83d`.
    Surrogate(&'a str),
}

/// A string of a value that [`read`](crate::read()) read, if it is a text; else what it stands for.
///
/// # Errors
///
/// [`NoText`].
pub fn text(text: &str) -> Result<&str, NoText<'_>> {
    if let Some(number) = number(text) {
        return Err(NoText::Number(number));
    }
    // The same character in a file of the user's own stays what it is.
    let lone = text.split(MARK).skip(1).find_map(surrogate);
    lone.map_or(Ok(text), |digits| Err(NoText::Surrogate(digits)))
}
