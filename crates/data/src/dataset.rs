//! Reading instruction examples.

mod shape;

use std::{path::Path, sync::Arc};

use serde_json::{Map, Value};

use crate::{DataError, Place, Records};

/// One instruction with its optional input and the wanted output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// What to do.
    pub instruction: String,
    /// What to do it with; empty where the instruction says everything.
    pub input: String,
    /// The wanted response; empty where the entry has none.
    pub output: String,
    /// Whether the entry has a wanted response.
    pub has_output: bool,
    /// The entry's place in its file, counting from 0.
    pub index: usize,
    /// Its line, counting from 1, in a file with an entry a line.
    pub line: Option<usize>,
    /// The file, where there are several.
    pub file: Option<Arc<str>>,
    /// Its place among the entries of all files, counting from 0.
    pub nth: usize,
    /// The entry as it stood in the file, with every further key, in the file's order.
    pub entry: Map<String, Value>,
}

/// A list of [`Example`]s and where it came from.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The file or name, for messages.
    pub origin: String,
    /// The examples in file order.
    pub examples: Vec<Example>,
    /// Entries that were left out because they cannot be read.
    pub skipped: Vec<BadEntry>,
}

/// An entry that cannot be used.
#[derive(Debug, Clone, PartialEq)]
pub struct BadEntry {
    /// Its place in the file, counting from 0.
    pub index: usize,
    /// Its line, counting from 1, in a file with an entry a line.
    pub line: Option<usize>,
    /// The file, where there are several.
    pub file: Option<Arc<str>>,
    /// Its place among the entries of all files, counting from 0.
    pub nth: usize,
    /// What is wrong with it.
    pub problem: String,
    /// The entry, or the text of a line that is no JSON.
    pub entry: Value,
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadOptions {
    /// Leave out entries that cannot be read, instead of refusing the file.
    pub skip_bad: bool,
    /// Take entries without a wanted response: questions.
    pub questions: bool,
}

impl Dataset {
    /// Reads a file of any kind that [`Records`] takes.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or for any reason [`Dataset::parse`] gives.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let records = Records::of_files(&path.display().to_string(), vec![path.to_owned()])?;
        Self::of_records(records, ReadOptions::default())
    }

    /// Parses the bytes of a dataset; `origin` names them in messages.
    ///
    /// # Errors
    ///
    /// As [`Dataset::of_records`].
    pub fn parse(origin: &str, text: &[u8]) -> Result<Self, DataError> {
        Self::parse_with(origin, text, ReadOptions::default())
    }

    /// Parses the bytes of a dataset; `origin` names them in messages.
    ///
    /// # Errors
    ///
    /// As [`Dataset::of_records`].
    pub fn parse_with(origin: &str, text: &[u8], options: ReadOptions) -> Result<Self, DataError> {
        Self::of_records(Records::of_bytes(origin, text.to_vec().into()), options)
    }

    /// Reads a stream to its end.
    ///
    /// A missing `input` counts as empty, as in many published instruction sets, and so does null; `instruction` and
    /// `output` are required. What Python's `json` takes and the standard does not (`NaN`, lone surrogates) is no matter in
    /// a key that is not used, and written back as it was.
    ///
    /// # Errors
    ///
    /// [`DataError::Entries`] with all entries that cannot be read, [`DataError::OtherShape`] if no entry has an
    /// instruction, [`DataError::Empty`], or for any reason [`Records::next_chunk`] gives.
    pub fn of_records(mut records: Records, options: ReadOptions) -> Result<Self, DataError> {
        let origin = records.origin().to_owned();
        let (mut examples, mut bad) = (Vec::new(), Vec::new());
        while let Some(chunk) = records.next_chunk()? {
            for record in chunk {
                let read = record.entry.and_then(|entry| example(entry, &record.place, options));
                match read {
                    Ok(example) => examples.push(example),
                    Err((problem, entry)) => bad.push(BadEntry::at(record.place, problem, entry)),
                }
            }
        }
        let total = examples.len() + bad.len();
        if total == 0 {
            return Err(DataError::Empty { origin });
        }
        if let Some(problem) = shape::of_all(&bad, total) {
            return Err(DataError::OtherShape { origin, problem });
        }
        if examples.is_empty() || !bad.is_empty() && !options.skip_bad {
            return Err(DataError::Entries { origin, bad, total, remedy: Some("--skip-bad") });
        }
        Ok(Self { origin, examples, skipped: bad })
    }

    /// Whether the entries are pairs of a better and a worse answer, for preference tuning.
    #[must_use]
    pub fn looks_like_preferences(&self) -> bool {
        let pair = |example: &Example| ["chosen", "rejected"].iter().all(|key| example.entry.contains_key(*key));
        !self.examples.is_empty() && self.examples.iter().all(pair)
    }
}

impl Example {
    /// An example of one's own.
    #[must_use]
    pub fn new(instruction: &str, input: &str, output: &str) -> Self {
        let keys = [("instruction", instruction), ("input", input), ("output", output)];
        let entry = keys.map(|(key, text)| (key.to_owned(), Value::from(text))).into_iter().collect();
        let [instruction, input, output] = [instruction, input, output].map(str::to_owned);
        Self { instruction, input, output, has_output: true, index: 0, line: None, file: None, nth: 0, entry }
    }
}

impl Example {
    /// Where it stands.
    #[must_use]
    pub fn at(&self) -> Place {
        Place { file: self.file.clone(), index: self.index, line: self.line, nth: self.nth }
    }
}

impl BadEntry {
    /// An example that cannot be used, and why.
    #[must_use]
    pub fn new(example: &Example, problem: String) -> Self {
        Self::at(example.at(), problem, Value::Object(example.entry.clone()))
    }

    /// What stands at a place and cannot be used.
    #[must_use]
    pub fn at(place: Place, problem: String, entry: Value) -> Self {
        let Place { file, index, line, nth } = place;
        Self { index, line, file, nth, problem, entry }
    }

    /// `entry 3`, with its line if it has one, and its file where there are several.
    #[must_use]
    pub fn place(&self) -> String {
        Place { file: self.file.clone(), index: self.index, line: self.line, nth: self.nth }.to_string()
    }

    /// The entry and what is wrong with it, as a line of JSON.
    #[must_use]
    pub fn to_json(&self, origin: &str) -> String {
        let file = self.file.iter().map(|file| ("file", Value::from(&**file)));
        let rest =
            [("entry", self.index.into()), ("problem", self.problem.as_str().into()), ("content", self.entry.clone())];
        let line = [("data", Value::from(origin))].into_iter().chain(file).chain(rest);
        gptune_json::to_line(&line.map(|(key, value)| (key.to_owned(), value)).collect())
    }
}

/// An example, or what is wrong with the entry, and it again.
fn example(entry: Map<String, Value>, place: &Place, options: ReadOptions) -> Result<Example, (String, Value)> {
    let text = |key: &str| match entry.get(key) {
        None => Ok(None),
        Some(Value::Null) if key == "input" => Ok(None),
        Some(value) => {
            gptune_json::string(value).map(|text| Some(text.to_owned())).map_err(|problem| format!("'{key}' {problem}"))
        }
    };
    let read = || {
        let instruction = text("instruction")?.ok_or_else(|| shape::without("instruction", &entry))?;
        let output = text("output")?;
        let has_output = output.is_some();
        if !has_output && !options.questions {
            return Err(shape::without("output", &entry));
        }
        Ok((instruction, text("input")?.unwrap_or_default(), output.unwrap_or_default(), has_output))
    };
    match read() {
        Ok((instruction, input, output, has_output)) => {
            let Place { file, index, line, nth } = place.clone();
            Ok(Example { instruction, input, output, has_output, index, line, file, nth, entry })
        }
        Err(problem) => Err((problem, Value::Object(entry))),
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(lines.iter_mut().map(|example| example.line.take()).collect::<Vec<_>>(), [Some(1), Some(3)]);
        assert_eq!(array, lines);
        assert_eq!(array[0].entry["kind"], "x");
        assert_eq!(array[1].input, "");
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
        let dataset = Dataset::parse_with("x", text.as_bytes(), options).unwrap();
        assert_eq!(dataset.examples.iter().map(|example| example.index).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(dataset.skipped.iter().map(|entry| entry.index).collect::<Vec<_>>(), [1, 3]);
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
        let message = Dataset::parse_with("x", text, options).unwrap_err().to_string();
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
        assert_eq!(Dataset::parse_with("x", text.as_bytes(), options).unwrap().examples.len(), 2);
    }

    #[test]
    fn what_python_accepts_matters_only_where_it_is_used() {
        let read = |text: &str| Dataset::parse("x", text.as_bytes()).unwrap().examples;
        let text = r#"[{"instruction":"a","output":"NaN","score":NaN,"low":-Infinity,"odd":"x\ud83d!"}]"#;
        let examples = read(text);
        assert_eq!(examples[0].output, "NaN");
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
            read(r#"[{"instruction":"\ud83d\ude00 \\ud83d","output":"b","x":NaN}]"#)[0].instruction,
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
        let message = error(&[r#"{"messages":[{"role":"user","content":"hi"}]}"#; 3].join("\n"));
        assert!(message.contains("none of the 3 entries has an 'instruction'"), "{message}");
        assert!(message.contains("'messages'") && message.contains("chat"), "{message}");
        let message = error(r#"[{"prompt":"a","completion":"b"}]"#);
        assert!(message.contains("'prompt', 'completion'"), "{message}");
        let message = error(r#"[{"prompt":"a","completion":"b"},{"prompt":"a","completion":"b","id":3}]"#);
        assert!(message.contains("none of the 2") && message.contains("'prompt', 'completion', 'id'"), "{message}");
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
        let examples = Dataset::parse_with("x", text, options).unwrap().examples;
        assert_eq!(examples.iter().map(|example| example.has_output).collect::<Vec<_>>(), [false, true]);
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
