//! Templates: how a conversation becomes one text, and which parts of it a model learns.
//!
//! A template is a list of what stands around messages ([`Turns`], as TOML) or a Jinja chat template, as transformers
//! has them, with `{% generation %}` around what is learnt.

mod jinja;
mod script;
mod turns;

use std::{fmt, path::Path, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{DataError, Example, Message, Tokenizer};

pub(crate) use script::Script;
pub use turns::Turns;

use jinja::Jinja;

/// How a conversation becomes a text.
#[derive(Clone)]
pub struct Template {
    name: Arc<str>,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Turns(Arc<Turns>),
    Jinja(Arc<Jinja>),
}

/// The templates that are built in, and what they are.
const BUILT_IN: [(&str, &str); 5] = [
    ("book", include_str!("template/book.toml")),
    ("alpaca", include_str!("template/alpaca.toml")),
    ("phi3", include_str!("template/phi3.toml")),
    ("chatml", include_str!("template/chatml.toml")),
    ("zephyr", include_str!("template/zephyr.toml")),
];

/// The names of the templates that are built in.
const NAMES: &str = "book, alpaca, phi3, chatml, zephyr";

impl Template {
    /// The names of the templates that are built in.
    pub const NAMES: [&str; 5] = ["book", "alpaca", "phi3", "chatml", "zephyr"];

    /// The template of a name that is built in, or none.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        let Ok(turns) = Turns::parse(text) else { unreachable!("a test reads what is built in") };
        Some(Self { name: (*name).into(), kind: Kind::Turns(Arc::new(turns)) })
    }

    /// The template of a text: a Jinja chat template if it has a tag of that language, else TOML. `name` stands for it in
    /// messages.
    ///
    /// # Errors
    ///
    /// [`DataError::Template`] with what is wrong with it.
    pub fn parse(name: &str, text: &str) -> Result<Self, DataError> {
        let fault = |problem| DataError::Template { name: name.to_owned(), problem };
        let kind = if text.contains("{%") || text.contains("{{") {
            Kind::Jinja(Arc::new(Jinja::parse(text).map_err(fault)?))
        } else {
            Kind::Turns(Arc::new(Turns::parse(text).map_err(fault)?))
        };
        Ok(Self { name: name.into(), kind })
    }

    /// The template of a file, named for it.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or as [`Template::parse`].
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let bytes = std::fs::read(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
        let name = path.file_stem().map_or_else(|| "template".to_owned(), |stem| stem.to_string_lossy().into_owned());
        let shown = path.display().to_string();
        let Ok(text) = String::from_utf8(bytes) else {
            return Err(DataError::Template { name: shown, problem: "it is not text in UTF-8".to_owned() });
        };
        if Self::NAMES.contains(&&*name) {
            let problem = format!("its name, {name}, is that of a template that is built in; give the file another");
            return Err(DataError::Template { name: shown, problem });
        }
        let read = Self::parse(&shown, &text)?;
        Ok(Self { name: name.into(), ..read })
    }

    /// The template of a name or a file, in this order.
    ///
    /// # Errors
    ///
    /// [`DataError::UnknownName`] if it is neither, or as [`Template::read`].
    pub fn find(given: &str) -> Result<Self, DataError> {
        if let Some(built_in) = Self::named(given) {
            return Ok(built_in);
        }
        if Path::new(given).is_file() || given.contains(['/', '\\', '.']) {
            return Self::read(Path::new(given));
        }
        let (what, known) = ("template", "book, alpaca, phi3, chatml, zephyr, or a file");
        Err(DataError::UnknownName { what, given: given.to_owned(), known })
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is one of those that are built in.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        Self::named(&self.name).is_some_and(|built_in| built_in == *self)
    }

    /// Its text, which [`Template::parse`] reads again.
    #[must_use]
    pub fn source(&self) -> String {
        match &self.kind {
            Kind::Turns(turns) => turns.to_toml(),
            Kind::Jinja(jinja) => jinja.source().to_owned(),
        }
    }

    /// Added tokens that it counts on, and that are ordinary letters where a tokenizer has none of them.
    #[must_use]
    pub fn tokens(&self) -> &[String] {
        match &self.kind {
            Kind::Turns(turns) => &turns.tokens,
            Kind::Jinja(_) => &[],
        }
    }

    /// What ends an answer beside the end of a text, if the template has something of its own for it.
    #[must_use]
    pub fn end(&self) -> Option<&str> {
        match &self.kind {
            Kind::Turns(turns) => Some(turns.end.as_str()).filter(|end| !end.is_empty() && !end.contains(turns::EOS)),
            Kind::Jinja(_) => None,
        }
    }

    /// What stands before messages, by which a model tells them apart: headers that no message should have in it.
    pub(crate) fn headers(&self) -> Vec<&str> {
        match &self.kind {
            Kind::Turns(turns) => turns.headers(),
            Kind::Jinja(_) => Vec::new(),
        }
    }

    /// Whether tokens are found in its text, because it does not say which are its own.
    pub(crate) fn finds_tokens(&self) -> bool {
        matches!(self.kind, Kind::Jinja(_))
    }

    /// Whether of several ends of a text only the first is learnt, as the book's collation has it: where a template writes
    /// none but the last.
    #[must_use]
    pub fn ends_once(&self) -> bool {
        match &self.kind {
            Kind::Turns(turns) => {
                let around = [Some(&turns.user), turns.system.as_ref()];
                turns.end == turns::EOS && around.into_iter().flatten().all(|text| !text.contains(turns::EOS))
            }
            Kind::Jinja(_) => false,
        }
    }

    /// The whole text that is trained on.
    ///
    /// # Errors
    ///
    /// What of the conversation the template does not take, as a sentence.
    pub(crate) fn script<'a>(&self, example: &Example, tokenizer: &'a Tokenizer) -> Result<Script<'a>, String> {
        let mut script = Script::new(tokenizer);
        if let Some(text) = example.plain_text() {
            script.trained(true, |script| {
                script.text(text);
                script.end_of_text();
            });
            return Ok(script);
        }
        self.write(&example.messages, &mut script, false)?;
        Ok(script)
    }

    /// What a model is given, for it to answer the last question.
    ///
    /// # Errors
    ///
    /// As [`Template::script`].
    pub(crate) fn prompt_script<'a>(
        &self,
        messages: &[Message],
        tokenizer: &'a Tokenizer,
    ) -> Result<Script<'a>, String> {
        let mut script = Script::new(tokenizer);
        self.write(messages, &mut script, true)?;
        Ok(script)
    }

    fn write(&self, messages: &[Message], script: &mut Script<'_>, ask: bool) -> Result<(), String> {
        match &self.kind {
            Kind::Turns(turns) => turns.write(messages, script, ask),
            Kind::Jinja(jinja) => jinja.write(messages, script, ask),
        }
    }

    /// What a model is given for it to answer an example, as text.
    ///
    /// # Errors
    ///
    /// [`DataError::Template`] if the template does not take it.
    pub fn prompt(&self, example: &Example, tokenizer: &Tokenizer) -> Result<String, DataError> {
        let script = self.prompt_script(example.question(), tokenizer);
        script.map(|script| script.text).map_err(|problem| self.fault(problem))
    }

    /// The whole text that is trained on, with the ends of texts in it as the tokenizer writes them.
    ///
    /// # Errors
    ///
    /// As [`Template::prompt`].
    pub fn training_text(&self, example: &Example, tokenizer: &Tokenizer) -> Result<String, DataError> {
        self.script(example, tokenizer).map(|script| script.text).map_err(|problem| self.fault(problem))
    }

    pub(crate) fn fault(&self, problem: String) -> DataError {
        DataError::Template { name: self.name.to_string(), problem }
    }

    /// A message as one text, with its input: what stands between the headers.
    #[must_use]
    pub fn message(&self, message: &Message) -> String {
        match &self.kind {
            Kind::Turns(turns) => turns.content(message),
            Kind::Jinja(_) => joined(message),
        }
    }

    /// The template as a Jinja chat template, as `transformers` and llama.cpp read it: for one turn and several it gives
    /// the training text, if the contents of messages are what [`Template::message`] makes of them.
    #[must_use]
    pub fn chat_template(&self) -> String {
        match &self.kind {
            Kind::Turns(turns) => turns.chat_template(),
            Kind::Jinja(jinja) => jinja.without_marks(),
        }
    }

    /// A `Modelfile` for Ollama beside a GGUF file of this name: its template gives the training text of an instruction
    /// without input, and answers end with `end_of_text`. Ollama's templates cannot look into a message, so that alpaca's
    /// other preamble, for instructions with input, is not there; and a Jinja template cannot be translated: Ollama reads
    /// the one in the GGUF file, where it knows it.
    #[must_use]
    pub fn modelfile(&self, gguf: &str, end_of_text: &str) -> String {
        let template = match &self.kind {
            Kind::Turns(turns) => format!("TEMPLATE \"\"\"{}\"\"\"\n", turns.ollama(end_of_text)),
            Kind::Jinja(_) => String::new(),
        };
        format!(
            "# Made by gptune: the model answers in the format that it was trained in.\n\
             #   ollama create NAME -f THIS_FILE\n\
             FROM ./{gguf}\n\
             {template}\
             PARAMETER stop \"{end_of_text}\"\n\
             PARAMETER temperature 0\n"
        )
    }

    /// The bare response in the text that a model wrote after the prompt: without its header and what ends it, and
    /// stripped of white space as Python's `str.strip` does it.
    #[must_use]
    pub fn response(&self, generated: &str) -> String {
        // Python also strips the four information separators, which Unicode does not call white space.
        let blank = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
        let Kind::Turns(turns) = &self.kind else { return generated.trim_matches(blank).to_owned() };
        let header = turns.header.trim_matches(blank);
        let own = if header.is_empty() { generated.to_owned() } else { generated.replace(header, "") };
        // What stands before the token that ends texts is letters, or a token of its own.
        let end = turns.end.split(turns::EOS).next().filter(|end| !end.is_empty());
        let own = match end.and_then(|end| own.split_once(end)) {
            Some((answer, _)) => answer.to_owned(),
            None => own,
        };
        own.trim_matches(blank).to_owned()
    }
}

/// A message and its input, where a template has no words for that.
fn joined(message: &Message) -> String {
    let Message { content, input, .. } = message;
    if input.is_empty() { content.clone() } else { format!("{content}\n\n{input}") }
}

impl Default for Template {
    /// The book's.
    fn default() -> Self {
        Self::named("book").unwrap_or_else(|| unreachable!("it is built in"))
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.source() == other.source()
    }
}

/// As in files: the name of one that is built in, else its name and its text.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    BuiltIn(String),
    Own { name: String, text: String },
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = self.name.to_string();
        if self.is_built_in() {
            return Stored::BuiltIn(name).serialize(serializer);
        }
        Stored::Own { name, text: self.source() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let template = match Stored::deserialize(deserializer)? {
            Stored::BuiltIn(name) => name.parse(),
            Stored::Own { name, text } => Self::parse(&name, &text),
        };
        template.map_err(de::Error::custom)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({})", self.name)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FromStr for Template {
    type Err = DataError;

    /// One that is built in.
    fn from_str(name: &str) -> Result<Self, DataError> {
        let unknown = || DataError::UnknownName { what: "template", given: name.to_owned(), known: NAMES };
        Self::named(name).ok_or_else(unknown)
    }
}
