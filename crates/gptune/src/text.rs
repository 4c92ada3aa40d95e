//! Texts as they are shown to people.

/// A text of the data or of a model on one line of a terminal, which must not take any of it for a command.
#[must_use]
pub fn on_a_line(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' => " ".to_owned(),
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    text.chars().map(shown).collect()
}

/// A word of a command for a shell, in quotes that fit what is in it.
#[must_use]
pub fn quoted(word: &str) -> String {
    if word.contains(['"', '$', '`', '\\', '!']) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    format!("\"{word}\"")
}
