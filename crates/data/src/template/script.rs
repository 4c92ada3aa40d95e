//! A text as it is written, with its tokens and the parts that are learnt.

use std::{borrow::Cow, ops::Range};

use crate::{Added, Tokenizer};

/// A text, where the template's own tokens stand in it, and what of it is learnt, in bytes.
#[derive(Debug)]
pub(crate) struct Script<'a> {
    /// The text, with the letters of its tokens.
    pub text: String,
    /// The tokens that the template wrote, which no text of a record becomes.
    pub tokens: Vec<(Range<usize>, u32)>,
    /// What is learnt.
    pub trained: Vec<Range<usize>>,
    /// Whether tokens are to be found in the text, because the template does not say which are its own.
    pub finds_tokens: bool,
    tokenizer: &'a Tokenizer,
}

impl<'a> Script<'a> {
    pub fn new(tokenizer: &'a Tokenizer) -> Self {
        Self { text: String::new(), tokens: Vec::new(), trained: Vec::new(), finds_tokens: false, tokenizer }
    }

    /// Adds text, which is letters whatever it reads like.
    pub fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds a token of this name, or its letters where the tokenizer has none.
    pub fn token(&mut self, name: &str) {
        let start = self.text.len();
        self.text.push_str(name);
        if let Some(token) = self.added(name) {
            self.tokens.push((start..self.text.len(), token.id));
        }
    }

    /// Adds the token that ends texts.
    pub fn end_of_text(&mut self) {
        let start = self.text.len();
        self.text += &self.end_of_text_name();
        self.tokens.push((start..self.text.len(), self.tokenizer.end_of_text()));
    }

    /// The token that ends texts, as it is written.
    pub fn end_of_text_name(&self) -> Cow<'a, str> {
        let end = self.tokenizer.end_of_text();
        match self.tokenizer.added().iter().find(|token| token.id == end) {
            Some(token) => Cow::Borrowed(&token.content),
            None => Cow::Owned(self.tokenizer.decode(&[end]).unwrap_or_default()),
        }
    }

    fn added(&self, name: &str) -> Option<&'a Added> {
        self.tokenizer.added().iter().find(|token| token.content == name)
    }

    /// Whether the tokenizer has a token of this name.
    pub fn knows(&self, name: &str) -> bool {
        self.added(name).is_some()
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
