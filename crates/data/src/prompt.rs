//! The texts that wrap an instruction.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{DataError, Example};

const PREAMBLE: &str =
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.";
const PREAMBLE_WITH_INPUT: &str = "Below is an instruction that describes a task, paired with an input that provides \
                                   further context. Write a response that appropriately completes the request.";

/// What stands before an input.
const INPUT_HEADER: &str = "\n\n### Input:\n";

/// A text as it stands between the quotation marks of a template.
fn escaped(text: &str) -> String {
    text.replace('\n', "\\n")
}

/// How an instruction, its input and its response become one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PromptStyle {
    /// The book's: one preamble, the prompt ends before `### Response:`.
    #[default]
    Book,
    /// Stanford Alpaca's: two preambles, the prompt includes the response header.
    Alpaca,
    /// Phi-3's: `<|user|>` and `<|assistant|>:` instead of headers.
    Phi3,
}

impl PromptStyle {
    /// Every style.
    pub const ALL: [Self; 3] = [Self::Book, Self::Alpaca, Self::Phi3];

    /// What a model is given at inference, and what instruction masking leaves untrained.
    #[must_use]
    pub fn prompt(self, example: &Example) -> String {
        let Example { instruction, input, .. } = example;
        match (self, input.is_empty()) {
            (Self::Book, true) => format!("{PREAMBLE}\n\n### Instruction:\n{instruction}"),
            (Self::Book, false) => format!("{PREAMBLE}\n\n### Instruction:\n{instruction}\n\n### Input:\n{input}"),
            (Self::Alpaca, true) => format!("{PREAMBLE}\n\n### Instruction:\n{instruction}\n\n### Response:\n"),
            (Self::Alpaca, false) => {
                format!(
                    "{PREAMBLE_WITH_INPUT}\n\n### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n"
                )
            }
            (Self::Phi3, true) => format!("<|user|>\n{instruction}"),
            (Self::Phi3, false) => format!("<|user|>\n{instruction}\n{input}"),
        }
    }

    /// The whole training text: the prompt, the response header and the output.
    #[must_use]
    pub fn training_text(self, example: &Example) -> String {
        let header = match self {
            Self::Book => "\n\n### Response:\n",
            Self::Alpaca => "",
            Self::Phi3 => "\n<|assistant|>:\n",
        };
        format!("{}{header}{}", self.prompt(example), example.output)
    }

    /// The instruction and its input as one message of a chat: what stands between the headers.
    #[must_use]
    pub fn message(self, example: &Example) -> String {
        let Example { instruction, input, .. } = example;
        match self {
            _ if input.is_empty() => instruction.clone(),
            Self::Book | Self::Alpaca => format!("{instruction}{INPUT_HEADER}{input}"),
            Self::Phi3 => format!("{instruction}\n{input}"),
        }
    }

    /// The style as a Jinja chat template, as `transformers` and llama.cpp read it: for one turn it gives the training
    /// text, if the content of the user's message is what [`PromptStyle::message`] makes of an example.
    ///
    /// Training knows no system message, and the template passes over one: llama.cpp finds that out and puts its text
    /// before the first user message, and other programs ask the template's author to say so, which is here.
    #[must_use]
    pub fn chat_template(self) -> String {
        let (user, assistant) = self.headers();
        let (user, assistant) = (escaped(user), escaped(assistant));
        let first = match self {
            Self::Book => PREAMBLE.to_owned(),
            // An input shows by its header alone, as in a message there is no other place for it.
            Self::Alpaca => format!(
                "{{% if '{}' in (messages[1] if messages[0]['role'] == 'system' else messages[0])['content'] %}}\
                 {PREAMBLE_WITH_INPUT}{{% else %}}{PREAMBLE}{{% endif %}}",
                escaped(INPUT_HEADER)
            ),
            Self::Phi3 => String::new(),
        };
        format!(
            "{first}{{% for message in messages %}}{{% if message['role'] == 'user' %}}{{{{ '{user}' + message['content'] }}}}\
             {{% elif message['role'] == 'assistant' %}}{{{{ '{assistant}' + message['content'] + eos_token }}}}{{% endif %}}\
             {{% endfor %}}{{% if add_generation_prompt %}}{{{{ '{assistant}' }}}}{{% endif %}}"
        )
    }

    /// What stands before an instruction and before a response.
    fn headers(self) -> (&'static str, &'static str) {
        match self {
            Self::Book | Self::Alpaca => ("\n\n### Instruction:\n", "\n\n### Response:\n"),
            Self::Phi3 => ("<|user|>\n", "\n<|assistant|>:\n"),
        }
    }

    /// A `Modelfile` for Ollama beside a GGUF file of this name: its template gives the training text of an instruction
    /// without input, and answers end with `end_of_text`. Ollama's templates cannot look into a message, so that
    /// alpaca's other preamble, for instructions with input, is not there.
    #[must_use]
    pub fn modelfile(self, gguf: &str, end_of_text: &str) -> String {
        let (user, assistant) = self.headers();
        let first = if self == Self::Phi3 { "" } else { PREAMBLE };
        format!(
            "# Made by gptune: the model answers in the format that it was trained in.\n\
             #   ollama create NAME -f THIS_FILE\n\
             FROM ./{gguf}\n\
             TEMPLATE \"\"\"{first}{user}{{{{ .Prompt }}}}{assistant}{{{{ .Response }}}}\"\"\"\n\
             PARAMETER stop \"{end_of_text}\"\n\
             PARAMETER temperature 0\n"
        )
    }

    /// The bare response in the text that a model wrote after the prompt: without its header, and
    /// stripped of white space as Python's `str.strip` does it.
    #[must_use]
    pub fn response(self, generated: &str) -> String {
        let header = match self {
            Self::Book | Self::Alpaca => "### Response:",
            Self::Phi3 => "<|assistant|>:",
        };
        // Python also strips the four information separators, which Unicode does not call white space.
        let blank = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
        generated.replace(header, "").trim_matches(blank).to_owned()
    }
}

impl fmt::Display for PromptStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Book => "book",
            Self::Alpaca => "alpaca",
            Self::Phi3 => "phi3",
        })
    }
}

impl FromStr for PromptStyle {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        Self::ALL.into_iter().find(|style| style.to_string() == name).ok_or_else(|| DataError::UnknownName {
            what: "prompt style",
            given: name.to_owned(),
            known: "book, alpaca, phi3",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(input: &str) -> Example {
        Example::new("Do it.", input, "Done.")
    }

    #[test]
    fn book_style_is_the_books() {
        let text = PromptStyle::Book.training_text(&example("x"));
        assert_eq!(
            text,
            "Below is an instruction that describes a task. Write a response that appropriately completes the request.\
             \n\n### Instruction:\nDo it.\n\n### Input:\nx\n\n### Response:\nDone."
        );
        assert!(!PromptStyle::Book.prompt(&example("")).contains("Input"));
        assert!(PromptStyle::Book.prompt(&example("")).ends_with("Do it."));
    }

    #[test]
    fn alpaca_prompt_includes_the_header() {
        assert!(PromptStyle::Alpaca.prompt(&example("x")).contains("paired with an input"));
        assert!(PromptStyle::Alpaca.prompt(&example("")).ends_with("### Response:\n"));
        assert!(PromptStyle::Alpaca.training_text(&example("")).ends_with("### Response:\nDone."));
    }

    #[test]
    fn phi3_prompt_ends_before_the_header() {
        assert_eq!(PromptStyle::Phi3.prompt(&example("x")), "<|user|>\nDo it.\nx");
        assert_eq!(PromptStyle::Phi3.training_text(&example("")), "<|user|>\nDo it.\n<|assistant|>:\nDone.");
    }

    #[test]
    fn response_loses_header_and_white_space() {
        assert_eq!(PromptStyle::Book.response("\n\n### Response:\n Yes.\u{1f}\n"), "Yes.");
        assert_eq!(PromptStyle::Phi3.response("\n<|assistant|>:\nYes."), "Yes.");
    }

    #[test]
    fn names_round_trip() {
        for style in PromptStyle::ALL {
            assert_eq!(style.to_string().parse::<PromptStyle>().unwrap(), style);
        }
        assert!("chat".parse::<PromptStyle>().unwrap_err().to_string().contains("known: book"));
    }

    #[test]
    fn ollama_gets_the_training_text() {
        let file = PromptStyle::Book.modelfile("model.gguf", "<|endoftext|>");
        let (_, rest) = file.split_once("TEMPLATE \"\"\"").unwrap();
        let (template, rest) = rest.split_once("\"\"\"").unwrap();
        let example = Example::new("Do it.", "", "Done.");
        let text = template.replace("{{ .Prompt }}", "Do it.").replace("{{ .Response }}", "Done.");
        assert_eq!(text, PromptStyle::Book.training_text(&example));
        assert!(file.contains("FROM ./model.gguf\n") && rest.contains("PARAMETER stop \"<|endoftext|>\""), "{file}");
        for style in [PromptStyle::Alpaca, PromptStyle::Phi3] {
            let text = style.modelfile("x", "y").replace("{{ .Prompt }}", "Do it.").replace("{{ .Response }}", "Done.");
            assert!(text.contains(&format!("\"\"\"{}\"\"\"", style.training_text(&example))), "{text}");
        }
    }
}
