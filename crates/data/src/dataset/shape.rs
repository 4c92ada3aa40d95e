//! Records of another shape than instruction, input and output, by their keys.

use serde_json::{Map, Value};

use super::BadEntry;

/// Shapes that data are published in: the keys, and what they are called.
const SHAPES: [(&[&str], &str); 8] = [
    (&["messages"], "chat messages, as OpenAI has them"),
    (&["conversations"], "conversations, as ShareGPT has them"),
    (&["chosen", "rejected"], "pairs for preference tuning"),
    (&["prompt", "completion"], "prompts and completions"),
    (&["question", "answer"], "questions and answers"),
    (&["context", "response"], "Dolly's records"),
    (&["prompt", "response"], "prompts and responses"),
    (&["text"], "plain texts, which `gptune pretrain` trains on"),
];

/// The problem of an entry that lacks a key: with the keys that it has.
pub(super) fn without(key: &str, entry: &Map<String, Value>) -> String {
    let keys: Vec<String> = entry.keys().take(8).map(|key| format!("'{}'", key.escape_debug())).collect();
    let found: Vec<&str> = entry.keys().map(String::as_str).collect();
    let looks = looks_like(&found);
    match &keys[..] {
        [] => format!("has no '{key}', and no other key either"),
        [one] => format!("has no '{key}'; its only key is {one}{looks}"),
        _ => format!("has no '{key}'; its keys are {}{looks}", keys.join(", ")),
    }
}

/// What records with these keys look like, to follow a sentence; nothing for unknown ones.
fn looks_like(keys: &[&str]) -> String {
    let known = SHAPES.iter().find(|(wanted, _)| wanted.iter().all(|key| keys.contains(key)));
    known.map_or_else(String::new, |(_, name)| format!(", which looks like {name}"))
}

/// What to say where no entry of a file has an instruction: once, and not of each.
pub(super) fn of_all(bad: &[BadEntry], total: usize) -> Option<String> {
    if bad.len() < total || total < 2 {
        return None;
    }
    let mut keys: Vec<&str> = Vec::new();
    for entry in bad {
        let entry = entry.entry.as_object().filter(|entry| !entry.contains_key("instruction"))?;
        keys.extend(entry.keys().map(String::as_str));
        // Most files have few keys, and a message room for few.
        keys.sort_unstable();
        keys.dedup();
    }
    let looks = looks_like(&keys);
    let first = bad.first().and_then(|entry| entry.entry.as_object())?;
    // In the order of the file, as far as the first entry has them.
    let others = keys.iter().copied().filter(|key| !first.contains_key(*key));
    let names: Vec<String> =
        first.keys().map(String::as_str).chain(others).take(8).map(|key| format!("'{}'", key.escape_debug())).collect();
    Some(format!(
        "none of the {total} entries has an 'instruction'; their keys are {}{looks}; give them the keys 'instruction', \
         'input' and 'output'",
        names.join(", ")
    ))
}
