//! What of a sequence is trained, as parts of its text that people can read.

use serde::Serialize;

use crate::{Collator, Sequence, Tokenizer};

/// What becomes of a part of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SpanKind {
    /// A model reads it, and does not learn to write it.
    Context,
    /// A model learns to write it.
    Trained,
    /// It is too long for the model or the user, and left off.
    Cut,
    /// One token that is no text, such as the end of a text.
    Special,
}

/// Neighbouring tokens of a sequence that share their fate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Their text, or the name of a special token. A character whose bytes lie in two spans stands in the first.
    pub text: String,
    /// What becomes of them.
    pub kind: SpanKind,
    /// Whether they are targets; of special tokens the kind does not say so.
    pub trained: bool,
    /// Their ids.
    pub ids: Vec<u32>,
}

impl Span {
    /// The text with signs for the blanks in it that a reader would not see to be trained: `⏎` before line breaks that a
    /// trained span begins or ends with, and where it is nothing but blanks, `·` for every other one, too.
    #[must_use]
    pub fn with_blanks(&self) -> String {
        let text = &self.text;
        if !self.trained || self.kind != SpanKind::Trained {
            return text.clone();
        }
        if text.trim().is_empty() {
            return text.chars().map(|blank| if blank == '\n' { "⏎\n" } else { "·" }).collect();
        }
        let is_break = |c| c == '\n';
        let (before, rest) = text.split_at(text.len() - text.trim_start_matches(is_break).len());
        let (own, after) = rest.split_at(rest.trim_end_matches(is_break).len());
        [&before.replace('\n', "⏎\n"), own, &after.replace('\n', "⏎\n")].concat()
    }
}

/// A sequence as it is trained on, from its first token to its last.
#[must_use]
pub fn spans(sequence: &Sequence, collator: &Collator, tokenizer: &Tokenizer) -> Vec<Span> {
    let batch = collator.collate([sequence.clone()]);
    let settled = &batch.sequences[0];
    let mut trained = vec![false; sequence.ids.len()];
    for range in &settled.trained {
        // Nothing stands before the first token, so that it is never a target.
        trained[range.start.max(1)..range.end].fill(true);
    }
    let mut parts: Vec<(Span, Vec<u8>)> = Vec::new();
    for (place, &id) in sequence.ids.iter().enumerate() {
        let trained = trained[place];
        let kind = match trained {
            _ if place >= settled.ids.len() => SpanKind::Cut,
            _ if tokenizer.is_special(id) => SpanKind::Special,
            true => SpanKind::Trained,
            false => SpanKind::Context,
        };
        let bytes = tokenizer.token_bytes(id);
        match parts.last_mut() {
            Some((span, text)) if (span.kind, span.trained) == (kind, trained) && kind != SpanKind::Special => {
                span.ids.push(id);
                text.extend_from_slice(&bytes);
            }
            _ => parts.push((Span { text: String::new(), kind, trained, ids: vec![id] }, bytes.into_owned())),
        }
    }
    close_characters(&mut parts);
    parts.into_iter().map(|(span, bytes)| Span { text: String::from_utf8_lossy(&bytes).into_owned(), ..span }).collect()
}

/// Gives each character that was divided to the span of its first byte.
fn close_characters(parts: &mut [(Span, Vec<u8>)]) {
    // The last span that text can go on in.
    let mut open: Option<usize> = None;
    for at in 0..parts.len() {
        if let Some(before) = open {
            let lacking = lacking(&parts[before].1);
            let rest = parts[at].1.iter().take(lacking).take_while(|byte| is_continuation(**byte)).count();
            let rest: Vec<u8> = parts[at].1.drain(..rest).collect();
            parts[before].1.extend(rest);
        }
        let (span, bytes) = &parts[at];
        if span.kind == SpanKind::Special {
            open = None;
        } else if !bytes.is_empty() {
            open = Some(at);
        }
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// Bytes that the last character of a text in UTF-8 lacks.
fn lacking(bytes: &[u8]) -> usize {
    let Some(first) = bytes.iter().rposition(|byte| !is_continuation(*byte)) else { return 0 };
    let wanted = match bytes[first] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    (first + wanted).saturating_sub(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{END_OF_TEXT_ID, Template};

    fn parts(
        ids: &[u32],
        trained: &[std::ops::Range<usize>],
        max_length: usize,
    ) -> Vec<(String, SpanKind, bool, usize)> {
        let tokenizer = Tokenizer::gpt2().unwrap();
        let template = Template::default();
        let encoder = crate::Encoder { tokenizer: &tokenizer, template: &template, special_tokens: false };
        let collator = Collator::new(&encoder, None, max_length, true);
        let sequence = Sequence { ids: ids.to_vec(), trained: trained.to_vec() };
        let spans = spans(&sequence, &collator, &tokenizer);
        assert_eq!(spans.iter().flat_map(|span| span.ids.clone()).collect::<Vec<_>>(), ids, "every token once");
        spans.into_iter().map(|span| (span.text, span.kind, span.trained, span.ids.len())).collect()
    }

    #[test]
    fn neighbours_of_a_kind_are_joined_and_special_tokens_stand_alone() {
        let tokenizer = Tokenizer::gpt2().unwrap();
        let mut ids = tokenizer.encode("One two three four").unwrap();
        ids.extend([END_OF_TEXT_ID, END_OF_TEXT_ID]);
        let end = || "<|endoftext|>".to_owned();
        assert_eq!(
            parts(&ids, &[2..5], 9),
            [
                ("One two".to_owned(), SpanKind::Context, false, 2),
                (" three four".to_owned(), SpanKind::Trained, true, 2),
                (end(), SpanKind::Special, true, 1),
                (end(), SpanKind::Special, false, 1),
            ]
        );
        // Three inputs predict up to the fourth token.
        assert_eq!(
            parts(&ids, &[2..5], 3)[2],
            (" <|endoftext|><|endoftext|>".replace(' ', ""), SpanKind::Cut, false, 2)
        );
        // The first token of all is not predicted from anything.
        assert_eq!(parts(&ids[..2], &[0..2], 9)[0], ("One".to_owned(), SpanKind::Context, false, 1));
    }

    #[test]
    fn blanks_that_are_trained_are_seen() {
        let of =
            |text: &str, kind| Span { text: text.to_owned(), kind, trained: kind == SpanKind::Trained, ids: vec![] };
        let shown = |text| of(text, SpanKind::Trained).with_blanks();
        assert_eq!(shown("\n\na\n b\n"), "⏎\n⏎\na\n b⏎\n");
        assert_eq!([shown(" \n\t"), shown(" a ")], ["·⏎\n·", " a "]);
        assert_eq!(of("\n", SpanKind::Context).with_blanks(), "\n");
    }

    #[test]
    fn a_divided_character_stands_where_it_begins() {
        let tokenizer = Tokenizer::gpt2().unwrap();
        // A blank with two bytes of the crab, its third byte, its fourth, and the mark.
        let ids = tokenizer.encode(" 🦀!").unwrap();
        assert_eq!(ids, [12_520, 99, 222, 0]);
        let crab = |tokens| (" 🦀".to_owned(), SpanKind::Context, false, tokens);
        assert_eq!(parts(&ids, &[1..4], 9), [crab(1), ("!".to_owned(), SpanKind::Trained, true, 3)]);
        let (none, mark) = (String::new(), "!".to_owned());
        let divided = [crab(2), (none, SpanKind::Trained, true, 1), (mark, SpanKind::Context, false, 1)];
        assert_eq!(parts(&ids, &[2..3], 9), divided);
        // What is no text stays visible.
        assert_eq!(parts(&ids[..2], &[1..2], 9)[0], (" \u{fffd}".to_owned(), SpanKind::Context, false, 1));
        assert_eq!(parts(&ids[1..2], &[], 9), [("\u{fffd}".to_owned(), SpanKind::Context, false, 1)]);
    }
}
