//! Chat templates in Jinja's language, as transformers reads them.

use std::ops::Range;

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value, context, syntax::SyntaxConfig};

use super::{Script, joined};
use crate::{Message, Role};

/// What a rendered text has where a trained part begins and ends: characters that Unicode keeps free for such use, and
/// that no text may have.
const MARKS: [char; 2] = ['\u{fdd0}', '\u{fdd1}'];

/// A chat template.
pub(super) struct Jinja {
    source: String,
    environment: Environment<'static>,
}

/// A tag of the template that marks what is trained.
struct Tag {
    start: usize,
    end: usize,
    /// What follows `{%` and stands before `%}`: a dash takes in white space.
    dashes: [&'static str; 2],
    opens: bool,
}

impl Jinja {
    /// # Errors
    ///
    /// What is wrong with it, as a sentence.
    pub fn parse(source: &str) -> Result<Self, String> {
        let tags = tags(source);
        if tags.is_empty() {
            return Err(
                "it marks nothing that is to be learnt; put {% generation %} and {% endgeneration %} around what \
                        the assistant says, with what ends it"
                    .to_owned(),
            );
        }
        for (place, tag) in tags.iter().enumerate() {
            if tag.opens != place.is_multiple_of(2) || tag.opens && place + 1 == tags.len() {
                let line = source[..tag.start].lines().count().max(1);
                return Err(format!("line {line}: {{% generation %}} and {{% endgeneration %}} do not come in pairs"));
            }
        }
        let mut environment = Environment::new();
        // As transformers sets up its environment.
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|error| sentence(&error))?);
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.add_function("raise_exception", |message: String| -> Result<Value, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, message))
        });
        // A block tag for a block tag: white space around it is treated alike.
        let includes = ["{DASH include 'start' DASH}", "{DASH include 'end' DASH}"];
        let mut text = String::with_capacity(source.len());
        let mut done = 0;
        for tag in &tags {
            let [before, after] = tag.dashes;
            let include = includes[usize::from(!tag.opens)];
            let include = include.replacen("DASH", &format!("%{before}"), 1).replacen("DASH", &format!("{after}%"), 1);
            text += &source[done..tag.start];
            text += &include;
            done = tag.end;
        }
        text += &source[done..];
        let names = ["start", "end"];
        for (name, mark) in names.into_iter().zip(MARKS) {
            environment.add_template_owned(name, mark.to_string()).map_err(|error| sentence(&error))?;
        }
        environment.add_template_owned("chat", text).map_err(|error| sentence(&error))?;
        Ok(Self { source: source.to_owned(), environment })
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    /// The template for programs that do not know the tags: without them, and all else as it was.
    pub fn without_marks(&self) -> String {
        let mut text = String::with_capacity(self.source.len());
        let mut done = 0;
        for tag in tags(&self.source) {
            let [before, after] = tag.dashes;
            text += &self.source[done..tag.start];
            let block = if tag.opens { "if true" } else { "endif" };
            text.extend(["{%", before, " ", block, " ", after, "%}"]);
            done = tag.end;
        }
        text + &self.source[done..]
    }

    pub fn write(&self, messages: &[Message], script: &mut Script<'_>, ask: bool) -> Result<(), String> {
        let listed: Vec<Value> = messages
            .iter()
            .map(|message| context! { role => message.role.name(), content => joined(message) })
            .collect();
        if let Some(mark) = messages.iter().find_map(|message| joined(message).chars().find(|c| MARKS.contains(c))) {
            return Err(format!("it holds U+{:04X}, which is no character of any text", mark as u32));
        }
        let end = script.end_of_text_name().into_owned();
        let values = context! {
            messages => listed,
            eos_token => end.clone(),
            bos_token => end,
            add_generation_prompt => ask,
            // As transformers has them where nobody gives any.
            tools => Value::from(()),
            documents => Value::from(()),
        };
        let template = self.environment.get_template("chat").map_err(|error| sentence(&error))?;
        let rendered = template.render(values).map_err(|error| sentence(&error))?;
        script.finds_tokens = true;
        let mut spans = Vec::new();
        for part in rendered.split_inclusive(MARKS) {
            let mark = part.chars().next_back().filter(|c| MARKS.contains(c));
            script.text(part.strip_suffix(MARKS).unwrap_or(part));
            let at = script.text.len();
            match mark {
                Some(mark) if mark == MARKS[0] => spans.push(at..at),
                Some(_) => {
                    if let Some(span) = spans.last_mut() {
                        span.end = at;
                    }
                }
                None => {}
            }
        }
        if ask {
            return Ok(());
        }
        let answers: Vec<&Message> = messages.iter().filter(|message| message.role == Role::Assistant).collect();
        if spans.iter().all(Range::is_empty) {
            return Err("the template marks nothing of it as learnt with {% generation %}".to_owned());
        }
        if answers.iter().any(|message| !message.trained) {
            if answers.len() != spans.len() {
                let (found, wanted) = (spans.len(), answers.len());
                return Err(format!(
                    "it has answers of the weight 0, and the template marks {found} parts where there are {wanted} answers"
                ));
            }
            let mut trained = answers.iter().map(|message| message.trained);
            spans.retain(|_| trained.next().unwrap_or_default());
        }
        script.trained.extend(spans.into_iter().filter(|span| !span.is_empty()));
        Ok(())
    }
}

/// An error of the template's as a sentence.
fn sentence(error: &minijinja::Error) -> String {
    let place = error.line().map_or_else(String::new, |line| format!("line {line}: "));
    match error.detail() {
        Some(detail) if error.kind() == ErrorKind::InvalidOperation => format!("{place}{detail}"),
        Some(detail) => format!("{place}{} ({detail})", error.kind()),
        None => format!("{place}{}", error.kind()),
    }
}

/// The tags that mark what is trained, in order.
fn tags(source: &str) -> Vec<Tag> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = source[at..].find("{%").map(|found| at + found) {
        let Some(end) = source[start..].find("%}").map(|found| start + found + 2) else { break };
        let inner = &source[start + 2..end - 2];
        let dash = |is: bool| if is { "-" } else { "" };
        let dashes = [dash(inner.starts_with('-')), dash(inner.ends_with('-'))];
        match inner.trim_matches(['-', '+']).trim() {
            "generation" => found.push(Tag { start, end, dashes, opens: true }),
            "endgeneration" => found.push(Tag { start, end, dashes, opens: false }),
            _ => {}
        }
        at = end;
    }
    found
}
