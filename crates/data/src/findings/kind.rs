//! The kinds of findings.

use std::fmt;

use super::Check;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Training refuses the data as they are.
    Error,
    /// It does not, and the model may be worse for it.
    Warning,
}

/// What a finding is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FindingKind {
    /// Entries that cannot be read.
    BadEntry,
    /// Questions without an answer.
    NoAnswer,
    /// Text that reads like a special token.
    SpecialToken,
    /// Prompts that leave no room for an answer.
    PromptTooLong,
    /// Nothing of an entry would be trained on.
    NothingTrained,
    /// No entry teaches where answers end.
    EndNeverTaught,
    /// Answers that are cut away whole.
    AnswerCut,
    /// Entries that lose their end.
    Cut,
    /// Questions that are empty.
    EmptyInstruction,
    /// Answers that are empty.
    EmptyOutput,
    /// Answers that hold a header of the template.
    RepeatedHeader,
    /// Characters that no text should have.
    ControlCharacter,
    /// Entries that say what an earlier one says.
    Duplicate,
    /// Entries that answer the question of an earlier one in another way.
    DifferentAnswer,
    /// Instructions that are nearly an earlier one.
    NearDuplicate,
    /// Test and validation entries that ask what a training entry asks.
    Leak,
    /// Test and validation entries whose input is a training entry's, and whose instruction nearly is.
    NearLeak,
}

impl FindingKind {
    /// All of them, in the order in which they are told.
    pub(super) const ALL: [Self; 17] = [
        Self::BadEntry,
        Self::NoAnswer,
        Self::SpecialToken,
        Self::PromptTooLong,
        Self::NothingTrained,
        Self::EndNeverTaught,
        Self::AnswerCut,
        Self::Cut,
        Self::EmptyInstruction,
        Self::EmptyOutput,
        Self::RepeatedHeader,
        Self::ControlCharacter,
        Self::Duplicate,
        Self::DifferentAnswer,
        Self::NearDuplicate,
        Self::Leak,
        Self::NearLeak,
    ];

    /// The name used in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BadEntry => "bad-entry",
            Self::NoAnswer => "no-answer",
            Self::SpecialToken => "special-token",
            Self::PromptTooLong => "prompt-too-long",
            Self::NothingTrained => "nothing-trained",
            Self::EndNeverTaught => "end-never-taught",
            Self::AnswerCut => "answer-cut",
            Self::Cut => "cut",
            Self::EmptyInstruction => "empty-instruction",
            Self::EmptyOutput => "empty-output",
            Self::RepeatedHeader => "repeated-header",
            Self::ControlCharacter => "control-character",
            Self::Duplicate => "duplicate",
            Self::DifferentAnswer => "different-answer",
            Self::NearDuplicate => "near-duplicate",
            Self::Leak => "leak",
            Self::NearLeak => "near-leak",
        }
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::BadEntry | Self::NoAnswer | Self::SpecialToken | Self::PromptTooLong | Self::NothingTrained => {
                Severity::Error
            }
            _ => Severity::Warning,
        }
    }

    /// What it is and what to do, about so many entries.
    pub(super) fn message(self, count: usize, check: &Check<'_>) -> String {
        let one = count == 1;
        let say = |single: &str, several: &str| {
            if one { format!("1 entry {single}") } else { format!("{count} entries {several}") }
        };
        let Check { lengths, threshold, .. } = check;
        let max_length = lengths.max_length;
        let (what, remedy) = match self {
            Self::BadEntry => (say("cannot be used", "cannot be used"), "mend or remove it, or train with --skip-bad"),
            Self::NoAnswer => (
                say("asks without an answer", "ask without an answer"),
                "write the answer, or remove the entry, or train with --skip-bad",
            ),
            Self::SpecialToken => (
                say("has text that reads like a special token", "have text that reads like a special token"),
                "remove it, or take it for the token with --special-tokens",
            ),
            Self::PromptTooLong => (
                say("has a prompt that leaves no room for an answer", "have prompts that leave no room for an answer"),
                "shorten it, raise --max-length, or train with --too-long skip",
            ),
            Self::NothingTrained => (
                say("would have nothing to be trained on", "would have nothing to be trained on"),
                "write an answer, or remove the entry",
            ),
            Self::EndNeverTaught => (
                format!(
                    "none of {count} entries teaches where an answer ends, so that the model would go on until its context \
                     is full"
                ),
                "end answers within what is trained in the template, or raise --max-length",
            ),
            Self::AnswerCut => (
                say("loses its whole answer", "lose their whole answers") + &format!(" at --max-length {max_length}"),
                "raise it, shorten the prompt, or train with --too-long skip",
            ),
            Self::Cut => (
                say("loses its end", "lose their ends")
                    + &format!(" at --max-length {max_length}, and does not teach to stop")
                        .replace("does not", if one { "does not" } else { "do not" }),
                "raise it, shorten the text, or train with --too-long skip",
            ),
            Self::EmptyInstruction => (say("asks nothing", "ask nothing"), "write what is asked, or remove the entry"),
            Self::EmptyOutput => (
                say("has an empty answer", "have empty answers") + ", which teaches to say nothing",
                "write the answer, or remove the entry",
            ),
            Self::RepeatedHeader => (
                say("has a header of the template in an answer", "have a header of the template in an answer")
                    + ", which teaches to go on with another turn",
                "cut the answer before it, or train with another --template",
            ),
            Self::ControlCharacter => (
                say("has", "have") + " control or replacement characters, which are left of a wrong encoding",
                "write the text anew from where it came",
            ),
            Self::Duplicate => (
                say("repeats", "repeat") + " the question and the answer of an earlier one",
                "leave it out with gptune data dedupe",
            ),
            Self::DifferentAnswer => (
                say("answers", "answer") + " the question of an earlier one in another way",
                "keep the better answer, unless both are meant",
            ),
            Self::NearDuplicate => {
                return format!(
                    "{} nearly the instruction of an earlier one (a similarity above {threshold}); look at the pairs with \
                     --json, and leave repetitions out with gptune data dedupe --by instruction --threshold {threshold}",
                    say("has", "have")
                );
            }
            Self::Leak => (
                say("of the test and validation parts asks", "of the test and validation parts ask")
                    + " what an entry of the training part asks",
                "remove one of the two, so that the model is asked what it has not seen",
            ),
            Self::NearLeak => (
                format!(
                    "{} the input and nearly the instruction of an entry of the training part (a similarity above \
                     {threshold})",
                    say("of the test and validation parts has", "of the test and validation parts have"),
                ),
                "look at the pairs with --json, and remove one of each that is the same question",
            ),
        };
        format!("{what}; {remedy}")
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
