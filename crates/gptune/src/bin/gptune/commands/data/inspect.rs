//! What is trained of the first entries.

mod terminal;

use std::env;

use anyhow::{Context, Result, bail};
use gptune::data;
use gptune_data::{BadEntry, Excerpt, Lengths, Place, Sequence, Span, SpanKind, spans};
use gptune_report::{InspectedEntry, InspectedPart, Inspection, PartKind};
use serde_json::{Map, Value, json};

use super::{
    super::{check_writable, print_json},
    Look,
};
use crate::{
    args::InspectArgs,
    console::{Plain, print_line},
};
use terminal::Terminal;

/// An entry as it would be trained on.
struct Entry {
    place: Place,
    /// What is wrong with it, if it cannot be used.
    problem: Option<String>,
    /// What to know about it, if it can.
    note: Option<String>,
    /// Tokens in all, with the one that ends it.
    tokens: usize,
    trained: usize,
    cut: usize,
    spans: Vec<Span>,
}

pub(super) fn run(args: &InspectArgs) -> Result<()> {
    if let Some(path) = &args.html {
        check_writable(path)?;
    }
    let look = Look::new(&args.look)?;
    let records = data::records(&args.look.data, &Plain)?;
    let range = args.first..args.first.saturating_add(args.limit);
    let excerpt = Excerpt::new(&records, range, &look.reading, &look.encoder(&args.look))?;
    if excerpt.entries.is_empty() {
        bail!(
            "there is no entry {} in {}, which holds {}; give a lower --first",
            args.first,
            records.origin(),
            excerpt.read
        );
    }
    let entries: Vec<Entry> =
        excerpt.entries.into_iter().map(|(place, entry)| Entry::new(place, entry, &look, args)).collect();
    if args.json {
        return print_json(&entries.iter().map(Entry::to_json).collect::<Vec<_>>());
    }
    let about = about(&look, args);
    let Some(path) = &args.html else {
        return Terminal::new(args.color).print(records.origin(), &about, &entries);
    };
    let page = Inspection {
        version: format!("gptune {}", env!("CARGO_PKG_VERSION")),
        data: records.origin().to_owned(),
        about,
        entries: entries.iter().map(Entry::to_page).collect(),
    };
    page.write_html(path).with_context(|| format!("cannot write {}", path.display()))?;
    print_line(format_args!("The page is in {}", path.display()))
}

/// How the data are looked at, as a sentence.
fn about(look: &Look, args: &InspectArgs) -> String {
    let trained = if args.look.mask_instructions { "the answers are" } else { "all but the first token is" };
    let max_length = look.kept(&args.look);
    format!("With the template {}, {trained} trained, up to {max_length} tokens.", look.template)
}

impl Entry {
    fn new(place: Place, entry: Result<Sequence, BadEntry>, look: &Look, args: &InspectArgs) -> Self {
        let sequence = match entry {
            Ok(sequence) => sequence,
            Err(BadEntry { problem, .. }) => {
                let (tokens, trained, cut) = (0, 0, 0);
                return Self { place, problem: Some(problem), note: None, tokens, trained, cut, spans: Vec::new() };
            }
        };
        let collator = look.collator(&args.look);
        let spans = spans(&sequence, &collator, &look.tokenizer);
        let count = |is: fn(&Span) -> bool| spans.iter().filter(|span| is(span)).map(|span| span.ids.len()).sum();
        let (trained, cut) = (count(|span| span.trained), count(|span| span.kind == SpanKind::Cut));
        let lengths = Lengths {
            max_length: collator.max_length,
            context: look.context.max(collator.max_length),
            mask_instructions: args.look.mask_instructions,
            prompts_only: false,
        };
        let silent = || (trained == 0).then(|| "nothing of it would be trained".to_owned());
        let refused = |problem| format!("training refuses it: {problem}");
        let note = lengths.fault(sequence.prompt_length()).map(refused).or_else(silent);
        Self { place, problem: None, note, tokens: sequence.ids.len(), trained, cut, spans }
    }

    /// Where it stands, and how much of it is trained.
    fn heading(&self) -> String {
        let Self { place, tokens, trained, cut, .. } = self;
        if self.problem.is_some() {
            return format!("{place}: cannot be used");
        }
        let cut = if *cut > 0 { format!(", {cut} cut") } else { String::new() };
        format!("{place}: {tokens} {}, {trained} trained{cut}", if *tokens == 1 { "token" } else { "tokens" })
    }

    fn to_json(&self) -> Value {
        let Place { file, index, line, .. } = &self.place;
        let mut entry = Map::new();
        if let Some(file) = file {
            entry.insert("file".to_owned(), json!(&**file));
        }
        entry.insert("entry".to_owned(), json!(index));
        if let Some(line) = line {
            entry.insert("line".to_owned(), json!(line));
        }
        if let Some(problem) = &self.problem {
            entry.insert("problem".to_owned(), json!(problem));
            return Value::Object(entry);
        }
        if let Some(note) = &self.note {
            entry.insert("note".to_owned(), json!(note));
        }
        let counts = [("tokens", self.tokens), ("trained_tokens", self.trained), ("cut_tokens", self.cut)];
        entry.extend(counts.map(|(name, count)| (name.to_owned(), json!(count))));
        entry.insert("spans".to_owned(), json!(self.spans));
        Value::Object(entry)
    }

    fn to_page(&self) -> InspectedEntry {
        let part = |span: &Span| InspectedPart {
            text: span.with_blanks(),
            kind: match span.kind {
                SpanKind::Context => PartKind::Context,
                SpanKind::Trained => PartKind::Trained,
                SpanKind::Cut => PartKind::Cut,
                SpanKind::Special => PartKind::Special,
            },
            trained: span.trained,
        };
        InspectedEntry {
            heading: self.heading(),
            problem: self.problem.clone(),
            note: self.note.clone(),
            parts: self.spans.iter().map(part).collect(),
        }
    }
}
