//! A whole data set in memory.

use std::{borrow::Cow, path::Path};

use crate::{
    BadEntry, DataError, Example, Records, Shape,
    example::{of_no_shape, shape_of},
};

/// A list of [`Example`]s and where it came from.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The file or name, for messages.
    pub origin: String,
    /// The examples in the order of the data.
    pub examples: Vec<Example>,
    /// Records that were left out because they cannot be read.
    pub skipped: Vec<BadEntry>,
    /// Which keys were read.
    pub shape: Shape,
}

/// How data are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadOptions {
    /// Leave out records that cannot be read, instead of refusing the data.
    pub skip_bad: bool,
    /// Take records without a wanted answer: questions.
    pub questions: bool,
    /// Which keys hold what; none for what the first record shows.
    pub shape: Option<Shape>,
}

impl Dataset {
    /// Reads a file of any kind that [`Records`] takes.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or for any reason [`Dataset::parse`] gives.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        Self::of_records(
            Records::of_files(&path.display().to_string(), vec![path.to_owned()])?,
            &ReadOptions::default(),
        )
    }

    /// Parses the bytes of a file; `origin` names them in messages.
    ///
    /// # Errors
    ///
    /// As [`Dataset::parse_with`].
    pub fn parse(origin: &str, text: &[u8]) -> Result<Self, DataError> {
        Self::parse_with(origin, text, &ReadOptions::default())
    }

    /// Parses the bytes of a file; `origin` names them in messages.
    ///
    /// The first record that is of a known [`Shape`] decides that of all, unless `options` do. A missing `input` counts as
    /// empty, as in many published instruction sets, and so does null; a question and its answer are required. What
    /// Python's `json` takes and the standard does not (`NaN`, lone surrogates) is no matter in a key that is not used, and
    /// written back as it was.
    ///
    /// # Errors
    ///
    /// [`DataError::Json`] with line and column, [`DataError::Entries`] with all records that cannot be read,
    /// [`DataError::NotText`] for another kind of file, or [`DataError::Empty`].
    pub fn parse_with(origin: &str, text: &[u8], options: &ReadOptions) -> Result<Self, DataError> {
        Self::of_records(Records::of_bytes(origin, Cow::Owned(text.to_vec())), options)
    }

    /// Reads all of a stream.
    ///
    /// # Errors
    ///
    /// As [`Dataset::parse_with`].
    pub fn of_records(mut records: Records, options: &ReadOptions) -> Result<Self, DataError> {
        let origin = records.origin().to_owned();
        let (mut examples, mut skipped, mut shape) = (Vec::new(), Vec::new(), options.shape.clone());
        while let Some(chunk) = records.next_chunk()? {
            shape = shape.or_else(|| shape_of(&chunk, options.questions));
            let shape = shape.clone().unwrap_or_default();
            for record in chunk {
                match Example::of(record, &shape, options.questions) {
                    Ok(example) => examples.push(example),
                    Err(bad) => skipped.push(bad),
                }
            }
        }
        let total = examples.len() + skipped.len();
        if total == 0 {
            return Err(DataError::Empty { origin });
        }
        if let Some(problem) = of_no_shape(&skipped, total) {
            return Err(DataError::OtherShape { origin, problem });
        }
        if examples.is_empty() || !skipped.is_empty() && !options.skip_bad {
            return Err(DataError::Entries { origin, bad: skipped, total, remedy: Some("--skip-bad") });
        }
        Ok(Self { origin, examples, skipped, shape: shape.unwrap_or_default() })
    }

    /// Whether the records are pairs of a better and a worse answer, for preference tuning.
    #[must_use]
    pub fn looks_like_preferences(&self) -> bool {
        let pair = |example: &Example| ["chosen", "rejected"].iter().all(|key| example.entry.contains_key(*key));
        !self.examples.is_empty() && self.examples.iter().all(pair)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn error(text: &str) -> String {
        Dataset::parse("data.json", text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn array_and_lines_give_the_same_examples() {
        let array = r#"[{"instruction":"a","input":"b","output":"c","kind":"x"}, {"instruction":"d","output":"e"}]"#;
        let lines = "{\"instruction\":\"a\",\"input\":\"b\",\"output\":\"c\",\"kind\":\"x\"}\n\n{\"instruction\":\"d\",\"output\":\"e\"}\n";
        let array = Dataset::parse("a", array.as_bytes()).unwrap().examples;
        let mut lines = Dataset::parse("l", lines.as_bytes()).unwrap().examples;
        assert_eq!(lines.iter_mut().map(|example| example.place.line.take()).collect::<Vec<_>>(), [Some(1), Some(3)]);
        assert_eq!(array, lines);
        assert_eq!(array[0].entry["kind"], "x");
        assert_eq!(array[1].input(), "");
    }

    #[test]
    fn faults_are_located() {
        assert!(error("[{\"instruction\": \"a\",\n  oops}]").contains("line 2, column 3"));
        assert!(error("{\"instruction\":\"a\",\"output\":\"b\"}\n{\"instruction\"\n").contains("line 2, column"));
        assert!(
            error(r#"[{"instruction":"a","output":"b"},{"output":"c"}]"#)
                .contains("data.json, entry 1: has no 'instruction'; its only key is 'output'")
        );
        assert!(error(r#"[{"instruction":"a","output":3}]"#).contains("entry 0: 'output' is a number"));
        assert!(error(r#"[{"instruction":"a","input":["x"],"output":"b"}]"#).contains("'input' is an array"));
        assert!(error("[7]").contains("entry 0: expected an object, found a number"));
        assert!(error("[]").contains("no examples"));
        assert!(error("  \n").contains("no examples"));
    }

    #[test]
    fn all_bad_entries_are_found_at_once() {
        let good = r#"{"instruction":"a","output":"b"}"#;
        let text = format!(
            r#"[{good},{{"instruction":"a","output":null}},{{"instruction":"a","input":null,"output":"b"}},{{"output":"b"}}]"#
        );
        let message = error(&text);
        assert!(message.contains("2 of 4 entries"), "{message}");
        assert!(message.contains("entry 1: 'output' is null") && message.contains("entry 3: has no"), "{message}");
        assert!(message.contains("--skip-bad"), "{message}");
        let options = ReadOptions { skip_bad: true, ..ReadOptions::default() };
        let dataset = Dataset::parse_with("x", text.as_bytes(), &options).unwrap();
        assert_eq!(dataset.examples.iter().map(|example| example.place.index).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(dataset.skipped.iter().map(|entry| entry.place.index).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(
            dataset.skipped[0].to_json("x"),
            r#"{"data": "x", "entry": 1, "problem": "'output' is null, expected a string", "content": {"instruction": "a", "output": null}}"#
        );
        let many = format!("[{good},{}]", [r#"{"instruction":"a","output":5}"#; 30].join(","));
        let message = error(&many);
        assert!(
            message.contains("30 of 31") && message.contains("entry 20:") && !message.contains("entry 21:"),
            "{message}"
        );
        assert!(message.contains("and 10 more"), "{message}");
    }

    #[test]
    fn data_of_which_nothing_is_left_say_why() {
        let options = ReadOptions { skip_bad: true, ..ReadOptions::default() };
        let text = br#"[{"instruction":"a","output":5},{"instruction":"a","output":6}]"#;
        let message = Dataset::parse_with("x", text, &options).unwrap_err().to_string();
        assert!(message.contains("2 of 2 entries cannot be used: entry 0: 'output' is a number"), "{message}");
        assert!(message.contains("or give other data") && !message.contains("--skip-bad"), "{message}");
    }

    #[test]
    fn bad_lines_are_entries_too() {
        let good = "{\"instruction\":\"a\",\"output\":\"b\"}";
        let text = format!("{good}\n{{\"instruction\": \"a\" \"b\"}}\n\n{good}\n5\n");
        let message = error(&text);
        assert!(
            message.contains("entry 1 (line 2): ") && message.contains("entry 3 (line 5): expected an object"),
            "{message}"
        );
        let options = ReadOptions { skip_bad: true, ..ReadOptions::default() };
        assert_eq!(Dataset::parse_with("x", text.as_bytes(), &options).unwrap().examples.len(), 2);
    }

    #[test]
    fn what_python_accepts_matters_only_where_it_is_used() {
        let read = |text: &str| Dataset::parse("x", text.as_bytes()).unwrap().examples;
        let text = r#"[{"instruction":"a","output":"NaN","score":NaN,"low":-Infinity,"odd":"x\ud83d!"}]"#;
        let examples = read(text);
        assert_eq!(examples[0].output(), "NaN");
        let back = gptune_json::to_lines(&Value::Object(examples[0].entry.clone()));
        // print(json.dumps(json.loads(text)[0], indent=4)) in Python 3.11.
        assert_eq!(
            back,
            "{\n    \"instruction\": \"a\",\n    \"output\": \"NaN\",\n    \"score\": NaN,\n    \"low\": -Infinity,\n    \"odd\": \"x\\ud83d!\"\n}"
        );
        assert!(error(r#"[{"instruction":"a","output":NaN}]"#).contains("entry 0: 'output' is NaN, expected a string"));
        assert!(
            error(r#"[{"instruction":"a","output":"b\udc00"}]"#)
                .contains("entry 0: 'output' has a lone surrogate, \\udc00")
        );
        assert!(
            error(r#"[{"instruction":"a","output":18446744073709551617}]"#).contains("'output' is a number, expected")
        );
        assert_eq!(read(r#"[{"instruction":"a","output":"b","far":1e999}]"#).len(), 1);
        assert!(error("[{\"instruction\":\"a\",\n\"output\":NaN,}]").contains("line 2, column 14"));
        assert!(error("[{\"a\":NaN,\"b\":\"\\ud83d\",\"c\":oops}]").contains("line 1, column 28"));
        assert!(error("[{NaN:1}]").contains("line 1, column 3"));
        assert_eq!(
            read(r#"[{"instruction":"\ud83d\ude00 \\ud83d","output":"b","x":NaN}]"#)[0].instruction(),
            "😀 \\ud83d"
        );
        assert_eq!(
            read("{\"instruction\":\"a\",\"output\":\"b\",\"s\":NaN}\n{\"instruction\":\"c\",\"output\":\"d\"}").len(),
            2
        );
    }

    #[test]
    fn lists_inside_an_object_are_found_or_named() {
        let list = r#"[{"instruction":"a","output":"b"},{"instruction":"c","output":"d"}]"#;
        let count = |text: &str| Dataset::parse("x", text.as_bytes()).unwrap().examples.len();
        assert_eq!(count(&format!("{{\"data\": {list}}}")), 2);
        assert_eq!(count(&format!("{{\n \"version\": 1,\n \"rows\": {list}\n}}")), 2);
        let message = error(&format!("{{\"data\": [{},5]}}", &list[1..list.len() - 1]));
        assert!(message.contains("entry 2: expected an object, found a number"), "{message}");
        assert_eq!(count("{\n \"instruction\": \"a\",\n \"output\": \"b\"\n}"), 1);
        let message = error(&format!("{{\"train\": {list}, \"test\": {list}}}"));
        assert!(message.contains("'train', 'test'"), "{message}");
    }

    #[test]
    fn other_shapes_are_named_once() {
        let message = error(r#"[{"q":"a","a":"b"}]"#);
        assert!(message.contains("entry 0: has no 'instruction'; its keys are 'q', 'a'"), "{message}");
        let message = error(r#"[{"q":"a","a":"b"},{"q":"a","a":"b","id":3}]"#);
        assert!(message.contains("none of the 2") && message.contains("'q', 'a', 'id'"), "{message}");
    }

    #[test]
    fn other_kinds_of_files_are_named() {
        let of = |bytes: &[u8]| Dataset::parse("data.json", bytes).unwrap_err().to_string();
        let utf16: Vec<u8> = "[{\"instruction\": 1}]".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(of(&utf16).contains("UTF-16"), "{}", of(&utf16));
        assert!(of(&[&[0xff, 0xfe], &utf16[..]].concat()).contains("UTF-16"));
        let big: Vec<u8> = "\u{feff}[]".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert!(of(&big).contains("UTF-16"));
        assert!(of(b"[{\"instruction\": \"caf\xe9\"}]").contains("not UTF-8"));
        assert!(of(b"version https://git-lfs.github.com/spec/v1\noid sha256:a\n").contains("Git LFS pointer"));
        assert!(of(b"<!DOCTYPE html><html>").contains("web page"));
        assert!(of(b"\x1f\x8b\x08\0").contains("gzip"));
        assert!(of(b"PAR1....").contains("Parquet"));
        assert!(of(b"PK\x03\x04").contains("zip"));
    }

    #[test]
    fn questions_need_no_output() {
        let text = br#"[{"instruction":"a"},{"instruction":"b","output":"c"}]"#;
        let options = ReadOptions { questions: true, ..ReadOptions::default() };
        let examples = Dataset::parse_with("x", text, &options).unwrap().examples;
        assert_eq!(examples.iter().map(Example::has_output).collect::<Vec<_>>(), [false, true]);
        assert!(!examples[0].entry.contains_key("output"));
    }

    #[test]
    fn an_example_of_ones_own_is_written_like_one_that_was_read() {
        let own = Example::new("a", "", "b");
        let read = Dataset::parse("x", br#"[{"instruction":"a","input":"","output":"b"}]"#).unwrap();
        assert_eq!(read.examples, [own]);
        assert!(!read.looks_like_preferences());
    }
}
