//! Records of one shape as records of another.

use std::str::FromStr;

use serde_json::{Map, Value, json};

use crate::{DataError, Example, Message, Role, Template, Tokenizer};

/// A shape that records are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownShape {
    /// `instruction`, `input` and `output`.
    Alpaca,
    /// `instruction`, `context` and `response`.
    Dolly,
    /// `prompt` and `completion`, as texts.
    PromptCompletion,
    /// `question` and `answer`.
    QuestionAnswer,
    /// `messages` of a `role` and a `content`.
    Messages,
    /// `conversations` of a `from` and a `value`.
    ShareGpt,
    /// A `text` that is learnt as it is.
    Text,
}

impl FromStr for KnownShape {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        Ok(match name {
            "alpaca" => Self::Alpaca,
            "dolly" => Self::Dolly,
            "prompt-completion" => Self::PromptCompletion,
            "question-answer" => Self::QuestionAnswer,
            "messages" => Self::Messages,
            "sharegpt" => Self::ShareGpt,
            "text" => Self::Text,
            other => {
                let known = "alpaca, messages, sharegpt, prompt-completion, question-answer, dolly, text";
                return Err(DataError::UnknownName { what: "shape", given: other.to_owned(), known });
            }
        })
    }
}

/// What makes records of a shape.
#[derive(Debug, Clone)]
pub struct Reshape {
    /// The shape.
    pub shape: KnownShape,
    /// How an instruction and its input become one message, and a conversation a text.
    pub template: Template,
    /// How the end of a text is written.
    pub tokenizer: Tokenizer,
}

impl Reshape {
    /// An example as a record of the shape, with the keys of that alone.
    ///
    /// # Errors
    ///
    /// What of it the shape has no room for, as the rest of a sentence about it.
    pub fn record(&self, example: &Example) -> Result<Map<String, Value>, String> {
        let object = |value: Value| match value {
            Value::Object(record) => record,
            _ => Map::new(),
        };
        match self.shape {
            KnownShape::Text => Ok(object(json!({ "text": self.text(example)? }))),
            KnownShape::Messages => self.conversation(example, "messages", ["role", "content"], Role::name),
            KnownShape::ShareGpt => self.conversation(example, "conversations", ["from", "value"], |role| match role {
                Role::System => "system",
                Role::User => "human",
                Role::Assistant => "gpt",
            }),
            shape => {
                let Turn { system, question, answer } = turn(example)?;
                let joined = || self.template.message(question);
                let mut record = object(match shape {
                    KnownShape::Dolly => {
                        json!({ "instruction": question.content, "context": question.input, "response": answer })
                    }
                    KnownShape::PromptCompletion => json!({ "prompt": joined(), "completion": answer }),
                    KnownShape::QuestionAnswer => json!({ "question": joined(), "answer": answer }),
                    _ => json!({ "instruction": question.content, "input": question.input, "output": answer }),
                });
                if let Some(system) = system {
                    record.insert("system".to_owned(), system.into());
                }
                Ok(record)
            }
        }
    }

    fn conversation(
        &self,
        example: &Example,
        key: &str,
        [role_key, content_key]: [&str; 2],
        name: fn(Role) -> &'static str,
    ) -> Result<Map<String, Value>, String> {
        if example.plain_text().is_some() {
            return Err(PLAIN.to_owned());
        }
        let message = |message: &Message| {
            let mut object = Map::new();
            object.insert(role_key.to_owned(), name(message.role).into());
            object.insert(content_key.to_owned(), self.template.message(message).into());
            if message.role == Role::Assistant && !message.trained {
                object.insert("weight".to_owned(), 0.into());
            }
            Value::Object(object)
        };
        let messages: Vec<Value> = example.messages.iter().map(message).collect();
        Ok(Map::from_iter([(key.to_owned(), messages.into())]))
    }

    /// The training text without the end of the text, which is added in training.
    fn text(&self, example: &Example) -> Result<String, String> {
        if let Some(text) = example.plain_text() {
            return Ok(text.to_owned());
        }
        let mut text = self.template.training_text(example, &self.tokenizer).map_err(|error| error.to_string())?;
        let id = self.tokenizer.end_of_text();
        let end = self.tokenizer.added().iter().find(|token| token.id == id).map(|token| token.content.as_str());
        if let Some(end) = end {
            if let Some(without) = text.strip_suffix(end) {
                text.truncate(without.len());
            }
            if text.contains(end) {
                return Err(format!(
                    "would have {end} within its text, which would be letters there; convert it to messages, or with a \
                     template that ends answers otherwise"
                ));
            }
        }
        if example.messages.iter().any(|message| message.role == Role::Assistant && !message.trained) {
            return Err(
                "has an answer that is not to be learnt, and a text is learnt whole; convert it to messages".to_owned()
            );
        }
        Ok(text)
    }
}

const PLAIN: &str = "is a plain text, without a question and an answer; leave --shape out, or give text";

struct Turn<'a> {
    system: Option<&'a str>,
    question: &'a Message,
    answer: &'a str,
}

/// The one question and its answer.
fn turn(example: &Example) -> Result<Turn<'_>, String> {
    let (system, rest) = match &example.messages[..] {
        [first, rest @ ..] if first.role == Role::System => (Some(first.content.as_str()), rest),
        rest => (None, rest),
    };
    match rest {
        [question, answer] => Ok(Turn { system, question, answer: &answer.content }),
        [_] => Err(PLAIN.to_owned()),
        rest => Err(format!(
            "is a conversation of {} messages, and the shape has room for one question and its answer; convert it to \
             messages or sharegpt",
            rest.len()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Place, Record, Shape};

    fn example(value: Value) -> Example {
        let Value::Object(entry) = value else { panic!("an object") };
        let shape = Shape::of(&entry, false).unwrap();
        Example::of(Record { place: Place::default(), entry: Ok(entry) }, &shape, false).unwrap()
    }

    fn to(shape: &str, value: Value) -> Result<Value, String> {
        let tokenizer = Tokenizer::gpt2().unwrap();
        let reshape = Reshape { shape: shape.parse().unwrap(), template: Template::default(), tokenizer };
        reshape.record(&example(value)).map(Value::Object)
    }

    #[test]
    fn a_turn_has_the_keys_of_each_shape() {
        let alpaca = json!({ "instruction": "a", "input": "b", "output": "c", "system": "s", "id": 7 });
        let joined = "a\n\n### Input:\nb";
        for (shape, expected) in [
            ("alpaca", json!({ "instruction": "a", "input": "b", "output": "c", "system": "s" })),
            ("dolly", json!({ "instruction": "a", "context": "b", "response": "c", "system": "s" })),
            ("prompt-completion", json!({ "prompt": joined, "completion": "c", "system": "s" })),
            ("question-answer", json!({ "question": joined, "answer": "c", "system": "s" })),
            (
                "messages",
                json!({ "messages": [{ "role": "system", "content": "s" }, { "role": "user", "content": joined },
                                     { "role": "assistant", "content": "c" }] }),
            ),
            (
                "sharegpt",
                json!({ "conversations": [{ "from": "system", "value": "s" }, { "from": "human", "value": joined },
                                          { "from": "gpt", "value": "c" }] }),
            ),
            ("text", json!({ "text": "s\n\n### Instruction:\na\n\n### Input:\nb\n\n### Response:\nc" })),
        ] {
            assert_eq!(to(shape, alpaca.clone()).unwrap(), expected, "{shape}");
        }
        assert!("parrot".parse::<KnownShape>().unwrap_err().to_string().contains("known: alpaca, messages"));
    }

    #[test]
    fn what_a_shape_has_no_room_for_is_refused() {
        let say = |role: &str, weight: Value| json!({ "role": role, "content": "x", "weight": weight });
        let (user, answer, silent) = (say("user", Value::Null), say("assistant", 1.into()), say("assistant", 0.into()));
        let turns = json!({ "messages": [user, silent, user, answer] });
        assert!(to("alpaca", turns.clone()).unwrap_err().contains("conversation of 4 messages"));
        assert!(to("text", turns.clone()).unwrap_err().contains("<|endoftext|> within"));
        assert!(to("messages", json!({ "text": "x" })).unwrap_err().contains("plain text"));
        assert!(to("dolly", json!({ "text": "x" })).unwrap_err().contains("plain text"));
        assert_eq!(to("sharegpt", turns).unwrap()["conversations"][1]["weight"], 0);
        assert_eq!(to("text", json!({ "text": "x" })).unwrap(), json!({ "text": "x" }));
    }
}
