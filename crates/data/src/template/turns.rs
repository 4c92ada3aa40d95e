//! Templates as what stands around messages.

use serde::{Deserialize, Serialize};

use super::Script;
use crate::{Message, Role};

/// What stands for the token that ends texts.
pub(super) const EOS: &str = "{eos}";
const CONTENT: &str = "{content}";
const INPUT: &str = "{input}";

/// What stands before, around and after the messages of a conversation.
///
/// `{content}` stands for a message, `{input}` for its input, `{eos}` for the token that ends texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turns {
    /// What a conversation begins with, unless it has a system message.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub preamble: String,
    /// The same if the first question has an input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preamble_with_input: Option<String>,
    /// A system message; without it conversations that have one are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// A question.
    pub user: String,
    /// What follows a question that has an input.
    #[serde(default = "default_input")]
    pub input: String,
    /// What stands before an answer.
    pub header: String,
    /// Whether a model writes the header itself, and learns to; otherwise it is part of the prompt.
    #[serde(default)]
    pub header_is_trained: bool,
    /// What ends an answer, and is learnt.
    #[serde(default = "default_end")]
    pub end: String,
    /// What stands between an answer and whatever comes after it, and is not learnt.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub after: String,
    /// The texts that are tokens where a tokenizer has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<String>,
}

fn default_input() -> String {
    "\n\n{input}".to_owned()
}

fn default_end() -> String {
    EOS.to_owned()
}

impl Turns {
    /// Reads TOML.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let turns: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            format!("line {line}: {}", error.message())
        })?;
        turns.check()?;
        Ok(turns)
    }

    fn check(&self) -> Result<(), String> {
        let texts = [
            ("preamble", Some(&self.preamble), &[][..]),
            ("preamble_with_input", self.preamble_with_input.as_ref(), &[]),
            ("system", self.system.as_ref(), &[CONTENT, EOS]),
            ("user", Some(&self.user), &[CONTENT, EOS]),
            ("input", Some(&self.input), &[INPUT]),
            ("header", Some(&self.header), &[]),
            ("end", Some(&self.end), &[EOS]),
            ("after", Some(&self.after), &[EOS]),
        ];
        for (key, text, known) in texts {
            let Some(text) = text else { continue };
            if let Some(field) = fields(text).into_iter().find(|field| !known.contains(&field.as_str())) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Err(format!("'{key}' refers to {field}, which is unknown there; known: {known}"));
            }
            if let Some(wanted) = known.iter().find(|known| [CONTENT, INPUT].contains(known))
                && text.matches(wanted).count() != 1
            {
                return Err(format!("'{key}' needs {wanted}, once"));
            }
        }
        if self.end.is_empty() {
            return Err(
                "'end' is empty, and a model would not learn to stop; {eos} is the token that ends texts".to_owned()
            );
        }
        if self.tokens.iter().any(|token| self.input.contains(token.as_str())) {
            return Err("'input' holds one of its tokens, which are for what stands around messages".to_owned());
        }
        if self.preamble_with_input.is_some() && self.input_header().trim().is_empty() {
            return Err("'preamble_with_input' needs an 'input' with a header, by which an input shows".to_owned());
        }
        if let Some(empty) = self.tokens.iter().find(|token| token.trim().is_empty()) {
            return Err(format!("'tokens' has '{empty}', which is no token"));
        }
        Ok(())
    }

    pub(super) fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_else(|_| unreachable!("it is a table of texts"))
    }

    /// What stands before a question, its input and an answer, without white space; none that is too short to be told
    /// from what people write.
    pub(super) fn headers(&self) -> Vec<&str> {
        let user = self.user.split(CONTENT).next().unwrap_or_default();
        let all = [user, self.input_header(), &self.header].map(str::trim);
        all.into_iter().filter(|header| header.chars().nth(3).is_some()).collect()
    }

    /// What stands before an input.
    fn input_header(&self) -> &str {
        self.input.split(INPUT).next().unwrap_or_default()
    }

    /// A message with its input.
    pub(super) fn content(&self, message: &Message) -> String {
        if message.input.is_empty() {
            return message.content.clone();
        }
        format!("{}{}", message.content, self.input.replace(INPUT, &message.input))
    }

    pub(super) fn write(&self, messages: &[Message], script: &mut Script<'_>, ask: bool) -> Result<(), String> {
        if self.system.is_none() && messages.iter().any(|message| message.role == Role::System) {
            return Err("it has a system message, for which the template has no 'system'".to_owned());
        }
        if messages.first().is_some_and(|first| first.role != Role::System) {
            // As in the template that is given away, where an input shows by its header alone.
            let has_input = || self.content(&messages[0]).contains(self.input_header());
            let with_input = self.preamble_with_input.as_ref().filter(|_| has_input());
            self.put(with_input.unwrap_or(&self.preamble), "", script);
        }
        for message in messages {
            match message.role {
                Role::System => self.put(self.system.as_deref().unwrap_or_default(), &message.content, script),
                Role::User => self.put(&self.user, &self.content(message), script),
                Role::Assistant => {
                    if !self.header_is_trained {
                        self.put(&self.header, "", script);
                    }
                    script.trained(message.trained, |script| {
                        if self.header_is_trained {
                            self.put(&self.header, "", script);
                        }
                        script.text(&message.content);
                        if script.knows(&self.end) {
                            script.token(&self.end);
                        } else {
                            self.put(&self.end, "", script);
                        }
                    });
                    self.put(&self.after, "", script);
                }
            }
        }
        if ask && !self.header_is_trained {
            self.put(&self.header, "", script);
        }
        // Where what ends an answer is letters, the last one still has to end for a machine.
        let last = messages.last().filter(|last| last.role == Role::Assistant && !ask);
        if last.is_some_and(|last| last.trained) && !self.end.contains(EOS) && !script.knows(&self.end) {
            // With what stands before it, which has to be learnt then too.
            script.end_of_text();
            if let Some(last) = script.trained.last_mut() {
                last.end = script.text.len();
            }
        }
        Ok(())
    }

    /// Writes a text of the template, with its tokens.
    fn put(&self, text: &str, content: &str, script: &mut Script<'_>) {
        let mut rest = text;
        while !rest.is_empty() {
            let marks = [CONTENT, EOS].into_iter().chain(self.tokens.iter().map(String::as_str));
            let next = marks.filter_map(|mark| Some((rest.find(mark)?, mark)));
            let Some((at, mark)) = next.min_by_key(|&(at, mark)| (at, std::cmp::Reverse(mark.len()))) else {
                script.text(rest);
                return;
            };
            script.text(&rest[..at]);
            match mark {
                CONTENT => script.text(content),
                EOS => script.end_of_text(),
                token => script.token(token),
            }
            rest = &rest[at + mark.len()..];
        }
    }

    /// The template in Jinja's language.
    pub(super) fn chat_template(&self) -> String {
        let preamble = match &self.preamble_with_input {
            Some(other) => format!(
                "{{% if '{}' in messages[0]['content'] %}}{}{{% else %}}{}{{% endif %}}",
                escaped(self.input_header()),
                printed(other),
                printed(&self.preamble)
            ),
            None => printed(&self.preamble),
        };
        let preamble = match &self.system {
            Some(system) => format!(
                "{{% if messages[0]['role'] == 'system' %}}{}{{% else %}}{preamble}{{% endif %}}",
                printed(&system.replace(CONTENT, "{messages[0]['content']}"))
            ),
            None => preamble,
        };
        let header = printed(&self.header);
        format!(
            "{preamble}{{% for message in messages %}}{{% if message['role'] == 'user' %}}{}\
             {{% elif message['role'] == 'assistant' %}}{}{{% endif %}}\
             {{% endfor %}}{{% if add_generation_prompt %}}{header}{{% endif %}}",
            printed(&self.user.replace(CONTENT, "{message['content']}")),
            printed(&format!("{}{{message['content']}}{}{}", self.header, self.end, self.after)),
        )
    }

    /// The template in Ollama's language, for a question without an answer.
    pub(super) fn ollama(&self, end_of_text: &str) -> String {
        let user = self.user.replace(CONTENT, "{{ .Prompt }}");
        format!("{}{user}{}{{{{ .Response }}}}", self.preamble, self.header).replace(EOS, end_of_text)
    }
}

/// What stands in braces in a text.
fn fields(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        rest = after;
        if let Some((name, _)) = after.split_once('}')
            && !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            found.push(format!("{{{name}}}"));
        }
    }
    found
}

/// A text as it stands between the quotation marks of a Jinja template.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n").replace('\t', "\\t").replace('\r', "\\r")
}

/// A Jinja expression that prints a text, with `{eos}` and expressions in braces.
fn printed(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let mut parts = Vec::new();
    let mut rest = text;
    let expressions = ["{eos}", "{message['content']}", "{messages[0]['content']}"];
    while !rest.is_empty() {
        let next = expressions.into_iter().filter_map(|one| Some((rest.find(one)?, one))).min();
        let (before, expression) = next.map_or((rest, None), |(at, one)| (&rest[..at], Some(one)));
        if !before.is_empty() {
            parts.push(format!("'{}'", escaped(before)));
        }
        let Some(expression) = expression else { break };
        let inner = expression.trim_matches(['{', '}']);
        parts.push(if inner == "eos" { "eos_token".to_owned() } else { inner.to_owned() });
        rest = &rest[before.len() + expression.len()..];
    }
    format!("{{{{ {} }}}}", parts.join(" + "))
}
