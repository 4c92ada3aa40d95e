//! Examples: what a record of the data says, and those that cannot be used.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Message, Place, Record, Role, Shape};

/// A conversation that a model learns to continue, or a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// What is said, in turns, by the user and the assistant; the first may be the system's. A text that is learnt as it
    /// is has one message, the assistant's.
    pub messages: Vec<Message>,
    /// Where it stands in the data.
    pub place: Place,
    /// The record as it stood in the file, with every further key, in the file's order.
    pub entry: Map<String, Value>,
}

/// A record that cannot be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BadEntry {
    /// Where it stands.
    pub place: Place,
    /// What is wrong with it.
    pub problem: String,
    /// The record, or the text of a line that is no JSON.
    pub entry: Value,
}

impl Example {
    /// An example of one's own.
    #[must_use]
    pub fn new(instruction: &str, input: &str, output: &str) -> Self {
        let keys = [("instruction", instruction), ("input", input), ("output", output)];
        let entry = keys.map(|(key, text)| (key.to_owned(), Value::from(text))).into_iter().collect();
        let question = Message { input: input.to_owned(), ..Message::new(Role::User, instruction) };
        let messages = vec![question, Message::new(Role::Assistant, output)];
        Self { messages, place: Place::default(), entry }
    }

    /// What a record says, or what is wrong with it.
    ///
    /// # Errors
    ///
    /// The record again, with its problem.
    pub fn of(record: Record, shape: &Shape, questions: bool) -> Result<Self, BadEntry> {
        let Record { place, entry } = record;
        match entry {
            Ok(entry) => match shape.messages(&entry, questions) {
                Ok(messages) => Ok(Self { messages, place, entry }),
                Err(problem) => Err(BadEntry { place, problem, entry: Value::Object(entry) }),
            },
            Err((problem, entry)) => Err(BadEntry { place, problem, entry }),
        }
    }

    /// The text that is learnt as it is, if the example is one.
    #[must_use]
    pub fn plain_text(&self) -> Option<&str> {
        match &self.messages[..] {
            [Message { role: Role::Assistant, content, .. }] => Some(content),
            _ => None,
        }
    }

    /// What is asked last.
    #[must_use]
    pub fn instruction(&self) -> &str {
        self.asked().map_or("", |message| &message.content)
    }

    /// What it is asked of; empty where the instruction says everything.
    #[must_use]
    pub fn input(&self) -> &str {
        self.asked().map_or("", |message| &message.input)
    }

    /// The wanted answer to it; empty where there is none.
    #[must_use]
    pub fn output(&self) -> &str {
        self.answer().map_or("", |message| &message.content)
    }

    /// Whether there is a wanted answer.
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.answer().is_some()
    }

    /// The messages up to the last answer, which is asked for.
    #[must_use]
    pub fn question(&self) -> &[Message] {
        &self.messages[..self.messages.len() - usize::from(self.has_output())]
    }

    /// What another example may ask again. A text that is learnt as it is asks nothing, and is itself what is repeated.
    pub(crate) fn repeatable(&self) -> &[Message] {
        if self.plain_text().is_some() { &self.messages } else { self.question() }
    }

    fn answer(&self) -> Option<&Message> {
        self.messages.last().filter(|last| last.role == Role::Assistant)
    }

    fn asked(&self) -> Option<&Message> {
        self.messages.iter().rev().find(|message| message.role == Role::User)
    }
}

impl BadEntry {
    /// An example that cannot be used, and why.
    #[must_use]
    pub fn new(example: &Example, problem: String) -> Self {
        Self { place: example.place.clone(), problem, entry: Value::Object(example.entry.clone()) }
    }

    /// The entry and what is wrong with it, as a line of JSON.
    #[must_use]
    pub fn to_json(&self, origin: &str) -> String {
        let mut line = Map::from_iter([("data".to_owned(), Value::from(origin))]);
        if let Some(file) = &self.place.file {
            line.insert("file".to_owned(), Value::from(&**file));
        }
        line.insert("entry".to_owned(), Value::from(self.place.index));
        line.insert("problem".to_owned(), Value::from(self.problem.clone()));
        line.insert("content".to_owned(), self.entry.clone());
        gptune_json::to_line(&Value::Object(line))
    }
}

/// What to say where no record is of a known shape: once, and not of each.
pub(crate) fn of_no_shape(bad: &[BadEntry], total: usize) -> Option<String> {
    if bad.len() < total || total < 2 {
        return None;
    }
    let mut keys: Vec<&str> = Vec::new();
    for entry in bad {
        let entry = entry.entry.as_object().filter(|entry| Shape::of(entry, true).is_none())?;
        keys.extend(entry.keys().map(String::as_str));
        // Most files have few keys, and a message room for few.
        keys.sort_unstable();
        keys.dedup();
    }
    let first = bad.first().and_then(|entry| entry.entry.as_object())?;
    // In the order of the file, as far as the first entry has them.
    let others = keys.iter().copied().filter(|key| !first.contains_key(*key));
    let names: Vec<String> =
        first.keys().map(String::as_str).chain(others).take(8).map(|key| format!("'{}'", key.escape_debug())).collect();
    let looks = if keys.contains(&"chosen") && keys.contains(&"rejected") {
        ", which looks like pairs for preference tuning"
    } else {
        ""
    };
    Some(format!(
        "none of the {total} entries is of a known shape; their keys are {}{looks}; say which is which with --fields \
         instruction=KEY,output=KEY (and input=KEY), or messages=KEY, or text=KEY",
        names.join(", ")
    ))
}

/// The shape of the first record that has one.
pub(crate) fn shape_of(records: &[Record], questions: bool) -> Option<Shape> {
    records.iter().find_map(|record| Shape::of(record.entry.as_ref().ok()?, questions))
}
