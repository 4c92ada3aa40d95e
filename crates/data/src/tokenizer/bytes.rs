//! The bytes that a token stands for.

use std::borrow::Cow;

use super::{Base, Tokenizer, gpt2::printable_alphabet};

impl Tokenizer {
    /// Whether a token is none of the text's own: one of [`Tokenizer::added`], or the end of a text.
    #[must_use]
    pub fn is_special(&self, id: u32) -> bool {
        id == self.end_of_text || self.added_content(id).is_some()
    }

    /// The bytes that a token stands for: of an ordinary one those of a text, which may be a part of a character, and of
    /// an added one its name. None for an id that is none of the vocabulary.
    #[must_use]
    pub fn token_bytes(&self, id: u32) -> Cow<'_, [u8]> {
        if let Some(content) = self.added_content(id) {
            return Cow::Borrowed(content.as_bytes());
        }
        let token = self.tokens.get(id as usize).and_then(Option::as_deref);
        match (&self.base, token) {
            (_, None) => Cow::Borrowed(&[]),
            (Base::Gpt2(gpt2, _), Some(_)) => Cow::Borrowed(gpt2.table.bytes(id)),
            (Base::Other(_), Some(token)) => Cow::Owned(bytes_of(token)),
        }
    }

    fn added_content(&self, id: u32) -> Option<&str> {
        self.added.binary_search_by_key(&id, |token| token.id).ok().map(|place| &*self.added[place].content)
    }
}

/// The bytes of a token in the printable alphabet.
fn bytes_of(token: &str) -> Vec<u8> {
    let alphabet = printable_alphabet();
    let byte = |character| alphabet.iter().position(|&of| of == character).and_then(|byte| u8::try_from(byte).ok());
    token.chars().filter_map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::END_OF_TEXT_ID;

    #[test]
    fn the_bytes_of_tokens_are_those_of_the_text() {
        let tokenizer = Tokenizer::gpt2().unwrap();
        let text = "Ein Würfel, 三つ 🙂\n\n\tend";
        let ids = tokenizer.encode(text).unwrap();
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| tokenizer.token_bytes(id).into_owned()).collect();
        assert_eq!(bytes, text.as_bytes());
        // What another vocabulary's tokens are kept as says the same.
        let printable = tokenizer.tokens();
        assert!(ids.iter().all(|&id| bytes_of(&printable[id as usize]) == *tokenizer.token_bytes(id)));
        assert_eq!(&*tokenizer.token_bytes(END_OF_TEXT_ID), b"<|endoftext|>");
        assert!(tokenizer.is_special(END_OF_TEXT_ID) && !tokenizer.is_special(0));
        assert!(tokenizer.token_bytes(50_257).is_empty());
    }
}
