//! What is said in a conversation, and by whom.

use std::fmt;

use crate::Digest;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// What the conversation is held under; it comes first, if there is one.
    System,
    /// Who asks.
    User,
    /// Who answers, which is what a model learns.
    Assistant,
}

impl Role {
    /// The name that chat templates know.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }

    /// The role of a name, as OpenAI, ShareGPT and others have them.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "system" | "developer" => Some(Self::System),
            "user" | "human" | "prompter" => Some(Self::User),
            "assistant" | "gpt" | "model" | "bot" | "chatgpt" => Some(Self::Assistant),
            _ => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: String,
    /// What an instruction is to be done with, where a record has a key of its own for that; else empty.
    pub input: String,
    /// Whether an answer is learnt: OpenAI's messages may have a `weight` of 0.
    pub trained: bool,
}

impl Message {
    /// A message without an input.
    #[must_use]
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), input: String::new(), trained: true }
    }
}

/// The texts of messages, each with the place of its message, that, and whether it is an input.
pub(crate) fn texts(messages: &[Message]) -> impl Iterator<Item = (usize, &Message, &str, bool)> {
    messages.iter().enumerate().flat_map(|(place, message)| {
        [(place, message, message.content.as_str(), false), (place, message, message.input.as_str(), true)]
    })
}

/// What is the same for the same messages.
pub(crate) fn digest(messages: &[Message]) -> Digest {
    let texts: Vec<&str> =
        messages.iter().flat_map(|message| [message.role.name(), &message.content, &message.input]).collect();
    Digest::of(&texts)
}

/// What is wrong with the order of messages; `answered` says whether the last one has to be an answer.
pub(crate) fn order_fault(messages: &[Message], answered: bool) -> Option<String> {
    let turns = messages.iter().position(|message| message.role != Role::System).unwrap_or(messages.len());
    if messages.is_empty() {
        return Some("the conversation is empty".to_owned());
    }
    if turns > 1 {
        return Some("messages 0 and 1 are both the system's; join them".to_owned());
    }
    for (place, message) in messages.iter().enumerate().skip(turns) {
        let wanted = if (place - turns).is_multiple_of(2) { Role::User } else { Role::Assistant };
        if message.role == wanted {
            continue;
        }
        let Role::System = message.role else {
            return Some(match place.checked_sub(1).filter(|_| place > turns) {
                Some(before) => {
                    format!(
                        "messages {before} and {place} are both the {}'s; join them, or mend their roles",
                        message.role
                    )
                }
                None => format!("it begins with the {}; a conversation begins with the user", message.role),
            });
        };
        return Some(format!("message {place} is the system's, which may only be the first"));
    }
    match messages.last() {
        Some(Message { role: Role::System, .. }) => Some("it has a system message and no other".to_owned()),
        Some(Message { role: Role::User, .. }) if answered => {
            Some("it ends with the user, and the answer that is to be learnt is missing".to_owned())
        }
        _ if answered && messages.iter().all(|message| message.role != Role::Assistant || !message.trained) => {
            Some("every answer has the weight 0, and nothing would be learnt from it".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(roles: &str, answered: bool) -> String {
        let role = |letter| match letter {
            's' => Role::System,
            'u' => Role::User,
            _ => Role::Assistant,
        };
        let messages: Vec<Message> = roles.chars().map(|letter| Message::new(role(letter), "x")).collect();
        order_fault(&messages, answered).unwrap_or_default()
    }

    #[test]
    fn roles_come_in_turns() {
        for good in ["ua", "sua", "uaua", "suaua"] {
            assert_eq!(fault(good, true), "", "{good}");
        }
        assert_eq!((fault("u", false), fault("sua", false), fault("uau", false)), Default::default());
        for (roles, part) in [
            ("", "is empty"),
            ("a", "begins with the assistant"),
            ("sa", "begins with the assistant"),
            ("uu", "messages 0 and 1 are both the user's"),
            ("uaa", "messages 1 and 2 are both the assistant's"),
            ("uasu", "message 2 is the system's"),
            ("ssu", "both the system's"),
            ("s", "no other"),
            ("u", "ends with the user"),
            ("uau", "ends with the user"),
        ] {
            assert!(fault(roles, true).contains(part), "{roles}: {}", fault(roles, true));
        }
    }

    #[test]
    fn something_has_to_be_learnt() {
        let mut messages = vec![Message::new(Role::User, "a"), Message::new(Role::Assistant, "b")];
        assert_eq!(order_fault(&messages, true), None);
        messages[1].trained = false;
        assert!(order_fault(&messages, true).is_some_and(|fault| fault.contains("weight 0")));
    }
}
