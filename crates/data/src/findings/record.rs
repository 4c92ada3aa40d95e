//! What is found in a record alone.

use crate::{
    BadEntry, Collator, CorpusOptions, DataError, Digest, Example, Message, Place, Role, Sequence, Shape, Template,
    corpus::literal,
    message::{digest, texts},
    repeats::Compared,
};

use super::{Check, FindingKind};

/// What stands around messages in a template.
pub(super) struct Headers(Vec<String>);

impl Headers {
    pub fn new(template: &Template) -> Self {
        Self(template.headers().into_iter().map(str::to_owned).collect())
    }
}

/// What is known of a record.
pub(super) struct Facts {
    pub place: Place,
    /// What was found, and what about it.
    pub kinds: Vec<(FindingKind, Option<String>)>,
    /// Digests of what is asked, and of all that is said; none if it cannot be used.
    pub key: Option<(u64, u64)>,
    /// Whether it teaches where an answer ends.
    pub teaches_end: bool,
    /// The instruction, if somebody wants it.
    pub text: String,
    /// Bits of a digest of the inputs.
    pub input: u32,
}

impl Facts {
    pub fn of(
        check: &Check<'_>,
        collator: &Collator,
        Headers(headers): &Headers,
        example: Result<Example, BadEntry>,
        shape: &Shape,
        wants_text: bool,
    ) -> Self {
        let example = match example {
            Ok(example) => example,
            Err(BadEntry { place, problem, entry }) => {
                // What can be read as a question lacks its answer alone.
                let asks = entry.as_object().is_some_and(|entry| {
                    let ends = |messages: Vec<Message>| messages.last().is_some_and(|last| last.role == Role::User);
                    shape.messages(entry, true).is_ok_and(ends)
                });
                let kind = if asks { FindingKind::NoAnswer } else { FindingKind::BadEntry };
                let kinds = vec![(kind, Some(problem))];
                return Self { place, kinds, key: None, teaches_end: false, text: String::new(), input: 0 };
            }
        };
        let text = if wants_text { Compared::Instruction.text(&example).into_owned() } else { String::new() };
        let place = example.place.clone();
        let mut facts = Self {
            place,
            kinds: vec![],
            key: Some((digest(example.repeatable()).bits(), digest(&example.messages).bits())),
            teaches_end: false,
            text,
            input: input(&example),
        };
        facts.texts(&example, headers, shape);
        let encoder = &check.encoder;
        if let Some(problem) = literal(&example, shape, &CorpusOptions::default(), encoder) {
            facts.add(FindingKind::SpecialToken, problem);
            return facts;
        }
        match encoder.encode(&example) {
            Ok(sequence) => facts.lengths(check, collator, sequence),
            Err(DataError::Template { name, problem }) => {
                facts.add(FindingKind::BadEntry, format!("the template {name}: {problem}"));
            }
            Err(error) => facts.add(FindingKind::BadEntry, error.to_string()),
        }
        facts
    }

    fn add(&mut self, kind: FindingKind, detail: impl Into<Option<String>>) {
        self.kinds.push((kind, detail.into()));
    }

    /// Looks at the letters.
    fn texts(&mut self, example: &Example, headers: &[String], shape: &Shape) {
        let is_empty = |role| example.messages.iter().any(|one| one.role == role && one.content.trim().is_empty());
        if is_empty(Role::User) {
            self.add(FindingKind::EmptyInstruction, None);
        }
        if is_empty(Role::Assistant) {
            self.add(FindingKind::EmptyOutput, None);
        }
        let plain = example.plain_text().is_some();
        let mut answers = example.messages.iter().filter(|message| message.role == Role::Assistant && !plain);
        let repeated = answers.find_map(|answer| headers.iter().find(|header| answer.content.contains(*header)));
        if let Some(header) = repeated {
            self.add(FindingKind::RepeatedHeader, format!("an answer has '{}'", header.escape_debug()));
        }
        let control = texts(&example.messages).find_map(|(at, message, text, is_input)| {
            let found = text.chars().find(|c| is_damage(*c))?;
            let what = shape.place_of(at, message.role, is_input);
            Some(format!("{what} has U+{:04X}", u32::from(found)))
        });
        if let Some(problem) = control {
            self.add(FindingKind::ControlCharacter, problem);
        }
    }

    /// Looks at what is kept of the ids.
    fn lengths(&mut self, check: &Check<'_>, collator: &Collator, sequence: Sequence) {
        let prompt = sequence.prompt_length();
        let inputs = sequence.inputs().len();
        let cut = check.lengths.cut(inputs);
        self.teaches_end = cut.is_none() && ends(check, &sequence);
        if let Some(problem) = check.lengths.fault(prompt) {
            self.add(FindingKind::PromptTooLong, problem);
        } else if let Some(problem) = cut {
            let kind = if prompt > check.lengths.max_length { FindingKind::AnswerCut } else { FindingKind::Cut };
            self.add(kind, problem);
        } else if collator.collate([sequence]).target_tokens() == 0 {
            self.add(FindingKind::NothingTrained, None);
        }
    }
}

/// Whether the last answer of a sequence has something that ends it. Lists of what stands around messages always do; of
/// others only a token can be told from letters.
fn ends(check: &Check<'_>, sequence: &Sequence) -> bool {
    let last = sequence.trained.last().and_then(|range| sequence.ids[..range.end.min(sequence.ids.len())].last());
    let tokenizer = check.encoder.tokenizer;
    let is_token = |id: &u32| *id == tokenizer.end_of_text() || tokenizer.added().iter().any(|token| token.id == *id);
    !check.encoder.template.finds_tokens() || last.is_some_and(is_token)
}

/// Characters that are left of a wrong encoding, or of binary data.
fn is_damage(c: char) -> bool {
    c == '\u{fffd}' || c.is_control() && !['\t', '\n', '\r', '\u{c}'].contains(&c)
}

#[expect(clippy::cast_possible_truncation, reason = "some bits tell most inputs apart")]
fn input(example: &Example) -> u32 {
    match &*Compared::Input.text(example) {
        "" => 0,
        input => Digest::of(&[input]).bits() as u32,
    }
}
