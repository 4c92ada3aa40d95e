//! JSON as Python writes it.

use std::fmt::Write;

use serde_json::{Number, Value};

use crate::mark::{self, MARK};

/// Formats a value on one line, as Python's `json.dumps(value)` does.
#[must_use]
pub fn to_line(value: &Value) -> String {
    let mut out = String::new();
    write_line(&mut out, value);
    out
}

fn write_line(out: &mut String, value: &Value) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                write_line(out, item);
            }
            out.push(']');
        }
        Value::Object(entries) => {
            out.push('{');
            for (index, (key, item)) in entries.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                write_string(out, key);
                out.push_str(": ");
                write_line(out, item);
            }
            out.push('}');
        }
        other => write_value(out, other, 0),
    }
}

/// Formats a value byte for byte as Python's `json.dumps(value, indent=4)` does: non-ASCII
/// escaped, no newline at the end.
#[must_use]
pub fn to_lines(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value, 0);
    out
}

fn write_value(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&python_number(number)),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            write_items(out, ['[', ']'], depth, items, |out, item| write_value(out, item, depth + 1));
        }
        Value::Object(entries) => write_items(out, ['{', '}'], depth, entries, |out, (key, item)| {
            write_string(out, key);
            out.push_str(": ");
            write_value(out, item, depth + 1);
        }),
    }
}

fn write_items<I: IntoIterator>(
    out: &mut String,
    [open, close]: [char; 2],
    depth: usize,
    items: I,
    mut write_item: impl FnMut(&mut String, I::Item),
) {
    let new_line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("    ", depth));
    };
    out.push(open);
    let mut empty = true;
    for item in items {
        if !empty {
            out.push(',');
        }
        empty = false;
        new_line(out, depth + 1);
        write_item(out, item);
    }
    if !empty {
        new_line(out, depth);
    }
    out.push(close);
}

fn write_string(out: &mut String, text: &str) {
    if let Some(number) = mark::number(text) {
        out.push_str(number);
        return;
    }
    out.push('"');
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            MARK if mark::surrogate(rest.as_str()).is_some() => {
                out.push_str("\\u");
                out.extend(rest.by_ref().take(4));
            }
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

/// Python's `repr` of a number: integers as they are, floats with the fewest digits that read back
/// the same, in scientific notation below 1e-4 and from 1e16 on.
fn python_number(number: &Number) -> String {
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else {
        return number.to_string();
    };
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if float == 0.0 || (-4..16).contains(&exponent) {
        format!("{float:?}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_python() {
        // print(json.dumps(json.loads(text), indent=4)) in Python 3.11.
        let text = r#"[{"a": "é\u007f\"\\\n\t😀/", "b": [], "c": {}, "d": [1, -2.5, 1e16, 1.5e-7, 123456789.0, 0.0001, null, true]}]"#;
        let python = "[\n    {\n        \"a\": \"\\u00e9\\u007f\\\"\\\\\\n\\t\\ud83d\\ude00/\",\n        \"b\": [],\n        \
                      \"c\": {},\n        \"d\": [\n            1,\n            -2.5,\n            1e+16,\n            \
                      1.5e-07,\n            123456789.0,\n            0.0001,\n            null,\n            true\n        \
                      ]\n    }\n]";
        assert_eq!(to_lines(&serde_json::from_str(text).unwrap()), python);
    }

    #[test]
    fn long_floats_keep_every_digit() {
        for text in ["0.1234567890123456", "7.205759403792794e+16", "2.2250738585072014e-308", "123456.78901234567"] {
            assert_eq!(to_lines(&serde_json::from_str(text).unwrap()), text);
        }
    }
}
