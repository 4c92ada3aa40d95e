//! The shapes of records: which keys hold what is said.

use std::{fmt, str::FromStr};

use gptune_json::kind;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{DataError, Message, Role, message::order_fault};

type Entry = Map<String, Value>;

/// Which keys of a record hold what. One shape a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shape {
    /// A key for each part of one question and its answer.
    Fields {
        /// The key of what is asked.
        instruction: String,
        /// The key of what it is asked of.
        input: Option<String>,
        /// The key of the answer.
        output: String,
        /// The key of what the conversation is held under.
        system: Option<String>,
    },
    /// A list of messages.
    Messages {
        /// The key of the list.
        key: String,
    },
    /// Messages in two lists: those that are given, and the answer.
    PromptCompletion,
    /// A text that is learnt as it is.
    Text {
        /// Its key.
        key: String,
    },
}

/// What records without a key of their own for it are called in other tools, most specific first: the instruction, the
/// input, and the output.
const FIELDS: [(&str, &str, &str); 7] = [
    ("instruction", "input", "output"),
    ("instruction", "context", "response"),
    ("prompt", "input", "completion"),
    ("prompt", "input", "response"),
    ("question", "context", "answer"),
    ("question", "context", "response"),
    ("query", "input", "response"),
];

const MESSAGES: [&str; 3] = ["messages", "conversations", "conversation"];
const INPUTS: [&str; 2] = ["input", "context"];
const SYSTEMS: [&str; 2] = ["system", "system_prompt"];

impl Default for Shape {
    /// The book's: `instruction`, `input` and `output`.
    fn default() -> Self {
        Self::fields("instruction", Some("input"), "output", Some("system"))
    }
}

impl Shape {
    fn fields(instruction: &str, input: Option<&str>, output: &str, system: Option<&str>) -> Self {
        let owned = |key: Option<&str>| key.map(str::to_owned);
        Self::Fields {
            instruction: instruction.to_owned(),
            input: owned(input),
            output: output.to_owned(),
            system: owned(system),
        }
    }

    /// The shape of a record with these keys; none if they are of no known one. `questions` may lack their answer.
    #[must_use]
    pub fn of(entry: &Entry, questions: bool) -> Option<Self> {
        let has = |key: &str| entry.contains_key(key);
        if let Some(key) = MESSAGES.into_iter().find(|key| entry.get(*key).is_some_and(Value::is_array)) {
            return Some(Self::Messages { key: key.to_owned() });
        }
        if ["prompt", "completion"].iter().all(|key| entry.get(*key).is_some_and(Value::is_array)) {
            return Some(Self::PromptCompletion);
        }
        let whole = FIELDS.into_iter().find(|(instruction, _, output)| has(instruction) && has(output));
        let asked = || FIELDS.into_iter().find(|(instruction, ..)| questions && has(instruction));
        if let Some((instruction, input, output)) = whole.or_else(asked) {
            // Dolly's context is Alpaca's input; whichever is there.
            let input = [input, "input", "context"].into_iter().find(|key| has(key)).unwrap_or(input);
            let system = SYSTEMS.into_iter().find(|key| has(key));
            return Some(Self::fields(instruction, Some(input), output, system.or(Some("system"))));
        }
        has("text").then(|| Self::Text { key: "text".to_owned() })
    }

    /// What a record of this shape says.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as the rest of a sentence about it.
    pub fn messages(&self, entry: &Entry, questions: bool) -> Result<Vec<Message>, String> {
        match self {
            Self::Text { key } => {
                let text = text(entry, key)?.ok_or_else(|| self.without(key, entry))?;
                Ok(vec![Message::new(Role::Assistant, text)])
            }
            Self::Fields { instruction, input, output, system } => {
                // Some records have what may be absent under the one name, some under the other.
                let optional = |key: &Option<String>, names: &[&str]| -> Result<String, String> {
                    let Some(key) = key.as_deref() else { return Ok(String::new()) };
                    let others = names.iter().copied().filter(|other| *other != key && names.contains(&key));
                    for key in [key].into_iter().chain(others) {
                        if let Some(found) = text(entry, key)?.filter(|found| !found.is_empty()) {
                            return Ok(found);
                        }
                    }
                    Ok(String::new())
                };
                let asked = text(entry, instruction)?.ok_or_else(|| self.without(instruction, entry))?;
                let answer = text(entry, output)?;
                if answer.is_none() && !questions {
                    return Err(self.without(output, entry));
                }
                let system = optional(system, &SYSTEMS)?;
                let mut messages = Vec::with_capacity(3);
                if !system.is_empty() {
                    messages.push(Message::new(Role::System, system));
                }
                messages.push(Message { input: optional(input, &INPUTS)?, ..Message::new(Role::User, asked) });
                messages.extend(answer.map(|answer| Message::new(Role::Assistant, answer)));
                Ok(messages)
            }
            Self::Messages { key } => {
                no_tools(entry)?;
                let list = list(entry, key)?.ok_or_else(|| self.without(key, entry))?;
                let mut messages = list
                    .iter()
                    .enumerate()
                    .map(|(place, value)| {
                        message(value).map_err(|problem| format!("'{key}', message {place} {problem}"))
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                // ShareGPT's has a place of its own.
                let is_given = messages.first().is_some_and(|first| first.role == Role::System);
                if let Some(system) = text(entry, "system")?.filter(|system| !system.is_empty() && !is_given) {
                    messages.insert(0, Message::new(Role::System, system));
                }
                ordered(messages, key, questions)
            }
            Self::PromptCompletion => {
                no_tools(entry)?;
                let mut messages = Vec::new();
                for key in ["prompt", "completion"] {
                    let Some(list) = list(entry, key)? else {
                        if questions && key == "completion" {
                            break;
                        }
                        return Err(self.without(key, entry));
                    };
                    for (place, value) in list.iter().enumerate() {
                        let message =
                            message(value).map_err(|problem| format!("'{key}', message {place} {problem}"))?;
                        // What is given is not learnt, whoever says it.
                        messages.push(Message { trained: key == "completion" && message.trained, ..message });
                    }
                }
                ordered(messages, "prompt", questions)
            }
        }
    }

    /// What a text of a record is called: its key, or its place among the messages.
    pub(crate) fn place_of(&self, message: usize, role: Role, is_input: bool) -> String {
        let key = match (self, role) {
            (Self::Fields { input: Some(input), .. }, Role::User) if is_input => input,
            (Self::Fields { instruction, .. }, Role::User) => instruction,
            (Self::Fields { output, .. }, Role::Assistant) => output,
            (Self::Fields { system: Some(system), .. }, Role::System) => system,
            (Self::Text { key }, _) => key,
            _ => return format!("message {message}"),
        };
        format!("'{key}'")
    }

    /// The problem of an entry that lacks a key of this shape: with the keys that it has.
    pub(crate) fn without(&self, key: &str, entry: &Entry) -> String {
        let keys: Vec<String> = entry.keys().take(8).map(|key| format!("'{}'", key.escape_debug())).collect();
        let other = Self::of(entry, false).filter(|other| other != self);
        let looks = match other {
            Some(other) => format!(", which are {other}, and the first entry of its file has {self}"),
            None if entry.contains_key("chosen") && entry.contains_key("rejected") => {
                ", which looks like a pair for preference tuning".to_owned()
            }
            None => String::new(),
        };
        match &keys[..] {
            [] => format!("has no '{key}', and no other key either"),
            [one] => format!("has no '{key}'; its only key is {one}{looks}"),
            _ => format!("has no '{key}'; its keys are {}{looks}", keys.join(", ")),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields { instruction, input, output, .. } => match input {
                Some(input) => write!(f, "'{instruction}', '{input}' and '{output}'"),
                None => write!(f, "'{instruction}' and '{output}'"),
            },
            Self::Messages { key } => write!(f, "conversations in '{key}'"),
            Self::PromptCompletion => f.write_str("conversations in 'prompt' and 'completion'"),
            Self::Text { key } => write!(f, "plain texts in '{key}'"),
        }
    }
}

/// Keys that a user names: `instruction=question,output=answer`.
impl FromStr for Shape {
    type Err = DataError;

    fn from_str(given: &str) -> Result<Self, DataError> {
        let fault = |problem: String| DataError::Fields { given: given.to_owned(), problem };
        let mut found: Vec<(&str, &str)> = Vec::new();
        for pair in given.split(',') {
            let (what, key) = pair.split_once('=').ok_or_else(|| fault(format!("'{pair}' has no '='")))?;
            let (what, key) = (what.trim(), key.trim());
            if key.is_empty() {
                return Err(fault(format!("'{what}' names no key")));
            }
            if found.iter().any(|(other, _)| *other == what) {
                return Err(fault(format!("'{what}' stands there twice")));
            }
            found.push((what, key));
        }
        let key = |wanted: &str| found.iter().find(|(what, _)| *what == wanted).map(|&(_, key)| key);
        let known: &[&str] = match (key("messages"), key("text")) {
            (Some(_), _) => &["messages"],
            (None, Some(_)) => &["text"],
            (None, None) => &["instruction", "input", "output", "system"],
        };
        if let Some((what, _)) = found.iter().find(|(what, _)| !known.contains(what)) {
            let others = ["instruction", "input", "output", "system", "messages", "text"];
            return Err(fault(if others.contains(what) {
                format!("'{what}' does not go with '{}'", known[0])
            } else {
                format!("'{what}' is unknown")
            }));
        }
        if let Some(key) = key("messages") {
            return Ok(Self::Messages { key: key.to_owned() });
        }
        if let Some(key) = key("text") {
            return Ok(Self::Text { key: key.to_owned() });
        }
        // What is not named has the book's name; that the data have none of it is nothing to be wondered at.
        let (instruction, output) = (key("instruction").unwrap_or("instruction"), key("output").unwrap_or("output"));
        Ok(Self::fields(
            instruction,
            Some(key("input").unwrap_or("input")),
            output,
            Some(key("system").unwrap_or("system")),
        ))
    }
}

/// The text under a key; none if there is no such key, or null for what may be absent.
fn text(entry: &Entry, key: &str) -> Result<Option<String>, String> {
    match entry.get(key) {
        None => Ok(None),
        Some(Value::Null) if ["input", "context", "system", "system_prompt"].contains(&key) => Ok(None),
        Some(value) => {
            gptune_json::string(value).map(|text| Some(text.to_owned())).map_err(|problem| format!("'{key}' {problem}"))
        }
    }
}

fn list<'a>(entry: &'a Entry, key: &str) -> Result<Option<&'a Vec<Value>>, String> {
    match entry.get(key) {
        None => Ok(None),
        Some(Value::Array(list)) => Ok(Some(list)),
        Some(other) => Err(format!("'{key}' is {}, expected a list of messages", kind(other))),
    }
}

fn ordered(messages: Vec<Message>, key: &str, questions: bool) -> Result<Vec<Message>, String> {
    match order_fault(&messages, !questions) {
        Some(problem) => Err(format!("'{key}': {problem}")),
        None => Ok(messages),
    }
}

/// Refuses conversations that offer tools.
fn no_tools(entry: &Entry) -> Result<(), String> {
    let is_given = |key: &str| match entry.get(key) {
        None | Some(Value::Null) => false,
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::String(text)) => !text.is_empty() && text != "[]",
        Some(_) => true,
    };
    match ["tools", "functions"].into_iter().find(|key| is_given(key)) {
        Some(key) => Err(format!("'{key}' offers tools, and calls of tools cannot be trained on; leave it out")),
        None => Ok(()),
    }
}

/// A message, or what is wrong with it.
fn message(value: &Value) -> Result<Message, String> {
    let Value::Object(message) = value else { return Err(format!("is {}, expected an object", kind(value))) };
    for key in ["tool_calls", "function_call", "tool_call_id"] {
        if message.get(key).is_some_and(|call| !call.is_null() && call.as_array().is_none_or(|list| !list.is_empty())) {
            return Err(format!("calls a tool ('{key}'), which cannot be trained on; leave the entry out"));
        }
    }
    let either = |keys: [&'static str; 2]| keys.into_iter().find(|key| message.contains_key(*key));
    let (Some(role_key), Some(content_key)) = (either(["role", "from"]), either(["content", "value"])) else {
        let keys: Vec<String> = message.keys().take(8).map(|key| format!("'{}'", key.escape_debug())).collect();
        return Err(format!("has the keys {}, expected 'role' and 'content', or 'from' and 'value'", keys.join(", ")));
    };
    let name =
        gptune_json::string(&message[role_key]).map_err(|problem| format!("has a '{role_key}' that {problem}"))?;
    let role = Role::named(name).ok_or_else(|| match name {
        "tool" | "function" | "function_call" | "observation" | "ipython" => {
            format!("is of the role '{name}', and calls of tools cannot be trained on; leave the entry out")
        }
        other => format!("is of the role '{}'; known: system, user, assistant", other.escape_debug()),
    })?;
    let content = match &message[content_key] {
        Value::Array(parts) => parts.iter().map(part).collect::<Result<Vec<_>, _>>()?.concat(),
        value => {
            gptune_json::string(value).map_err(|problem| format!("has a '{content_key}' that {problem}"))?.to_owned()
        }
    };
    let trained = match message.get("weight") {
        None | Some(Value::Null) => true,
        Some(weight) => match weight.as_f64() {
            Some(0.0) => false,
            Some(1.0) => true,
            _ => return Err("has a 'weight' that is neither 0 nor 1".to_owned()),
        },
    };
    Ok(Message { trained, ..Message::new(role, content) })
}

/// A part of a message's content, as OpenAI has them.
fn part(part: &Value) -> Result<&str, String> {
    match part["type"].as_str() {
        Some("text") => {
            gptune_json::string(&part["text"]).map_err(|problem| format!("has a part whose 'text' {problem}"))
        }
        Some(other) => {
            Err(format!("has a part of the type '{}', and only text can be trained on", other.escape_debug()))
        }
        None => Err("has a part without a 'type'".to_owned()),
    }
}
