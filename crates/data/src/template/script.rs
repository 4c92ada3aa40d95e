//! A text as it is written, with its tokens and the parts that are learnt.

use std::ops::Range;

use crate::Tokenizer;

/// A text, where the template's own tokens stand in it, and what of it is learnt, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Script {
    /// The text, with the letters of its tokens.
    pub text: String,
    /// The tokens that the template wrote, which no text of a record becomes.
    pub tokens: Vec<(Range<usize>, u32)>,
    /// What is learnt.
    pub trained: Vec<Range<usize>>,
    /// Whether tokens are to be found in the text, because the template does not say which are its own.
    pub finds_tokens: bool,
    end_of_text: (String, u32),
    added: Vec<(String, u32)>,
}

impl Script {
    pub fn new(tokenizer: &Tokenizer) -> Self {
        let added: Vec<(String, u32)> =
            tokenizer.added().iter().map(|token| (token.content.clone(), token.id)).collect();
        let end = tokenizer.end_of_text();
        let text = added.iter().find(|(_, id)| *id == end).map(|(text, _)| text.clone());
        let text = text.or_else(|| tokenizer.decode(&[end]).ok()).unwrap_or_default();
        let (tokens, trained) = (Vec::new(), Vec::new());
        Self { text: String::new(), tokens, trained, finds_tokens: false, end_of_text: (text, end), added }
    }

    /// Adds text, which is letters whatever it reads like.
    pub fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds a token of this name, or its letters where the tokenizer has none.
    pub fn token(&mut self, name: &str) {
        let start = self.text.len();
        self.text.push_str(name);
        if let Some((_, id)) = self.added.iter().find(|(known, _)| known == name) {
            self.tokens.push((start..self.text.len(), *id));
        }
    }

    /// Adds the token that ends texts.
    pub fn end_of_text(&mut self) {
        let start = self.text.len();
        self.text.push_str(&self.end_of_text.0);
        self.tokens.push((start..self.text.len(), self.end_of_text.1));
    }

    /// The token that ends texts, as it is written.
    pub fn end_of_text_name(&self) -> &str {
        &self.end_of_text.0
    }

    /// Whether the tokenizer has a token of this name.
    pub fn knows(&self, name: &str) -> bool {
        self.added.iter().any(|(known, _)| known == name)
    }

    /// Adds what `write` adds, which is learnt if `trained`.
    pub fn trained(&mut self, trained: bool, write: impl FnOnce(&mut Self)) {
        let start = self.text.len();
        write(self);
        if trained {
            self.trained.push(start..self.text.len());
        }
    }
}
